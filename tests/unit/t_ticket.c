/*
 * Tickets: what is right is read as it stands; what is wrong is named by key and
 * place.  t_ticket FILE... judges files, for the test of the schema: "good" or why not.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"
#include "agent/ticket.h"
#include "tests/unit/test.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int
parse(const char *text, size_t len, struct ticket *t, bool *unfinished, struct err *e)
{
	*e = (struct err){ 0 };
	return ticket_parse(text, len, t, unfinished, e);
}

static void
test_good(void)
{
	static const char all[] = "{ \"v\": 1, \"sha256\": \"" HEX "\", \"reference\": \"AZ 2026/117 \\u00e4\", \"rule\": \"invoice\",\n"
	                          "  \"seal\": \"stamp\", \"name\": \"Bescheid 117.pdf\", \"hold\": \"Bitte pr\\u00fcfen\",\n"
	                          "  \"fields\": { \"az\": \"117\", \"b_2\": \"zwei\" } }";
	struct ticket t;
	struct err e;
	bool unfinished;

	CHECK(parse("{\"v\":1}", 7, &t, &unfinished, &e) == 0 && !t.bound && !t.hold && t.nfields == 0 && t.reference[0] == '\0',
	    "the smallest ticket asks for nothing: %s", e.text);
	CHECK(parse(all, strlen(all), &t, &unfinished, &e) == 0, "one with every key is read: %s", e.text);
	CHECK(t.bound && t.sha256[0] == 0x01 && t.sha256[31] == 0xef, "its hash");
	CHECK(strcmp(t.reference, "AZ 2026/117 ä") == 0 && strcmp(t.rule, "invoice") == 0 && strcmp(t.seal, "stamp") == 0 &&
	        strcmp(t.name, "Bescheid 117.pdf") == 0,
	    "its texts");
	CHECK(t.hold && strcmp(t.hold_why, "Bitte prüfen") == 0, "its reason to hold");
	CHECK(t.nfields == 2 && strcmp(t.fields[0].key, "az") == 0 && strcmp(t.fields[0].value, "117") == 0 &&
	        strcmp(t.fields[1].key, "b_2") == 0,
	    "its fields");
	CHECK(parse("{\"v\":1,\"hold\":true}", 19, &t, &unfinished, &e) == 0 && t.hold && t.hold_why[0] == '\0',
	    "held without a reason");
}

static const struct {
	const char *text;
	const char *says; /* part of the error */
} wrong[] = {
	{ "", "it is empty" },
	{ "null", "not JSON" },
	{ "1", "not JSON" },
	{ "[]", "must be one object" },
	{ "\"v\"", "not JSON" },
	{ "{}", "v: is missing; write \"v\": 1" },
	{ "{\"v\":2}", "v: is 2, and this release reads 1 only" },
	{ "{\"v\":0}", "v: is 0" },
	{ "{\"v\":-1}", "v: is -1" },
	{ "{\"v\":1.0}", "v: must be the number 1" },
	{ "{\"v\":\"1\"}", "v: must be the number 1" },
	{ "{\"v\":true}", "v: must be the number 1" },
	{ "{\"v\":99999999999999999999}", "not JSON: line 1" },
	{ "{\"v\":1,\"refrence\":\"x\"}", "refrence: there is no such key; did you mean \"reference\"?" },
	{ "{\"v\":1,\"Reference\":\"x\"}", "did you mean \"reference\"?" },
	{ "{\"v\":1,\"sha265\":\"x\"}", "did you mean \"sha256\"?" },
	{ "{\"v\":1,\"zzzzzzzz\":\"x\"}", "zzzzzzzz: there is no such key" },
	{ "{\"v\":1,\"\":\"x\"}", "there is no such key" },
	{ "{\"v\":1,\"a\\nb\\u202e\":1}", "a%0Ab%E2%80%AE: there is no such key" },
	{ "{\"v\":1,\"v\":1}", "not JSON: line 1, column 10: duplicate object key" },
	{ "{\"v\":1,\"fields\":{\"a\":\"1\",\"a\":\"2\"}}", "duplicate object key" },
	{ "{\"v\":1,}", "not JSON" },
	{ "{\"v\":1} x", "not JSON" },
	{ "{\"v\":1}{\"v\":1}", "not JSON" },
	{ "{'v':1}", "not JSON" },
	{ "// {\n{\"v\":1}", "not JSON: line 1" },
	{ "{\"v\":1,\n\"rule\": nonsense}", "not JSON: line 2" },
	{ "\xef\xbb\xbf{\"v\":1}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"\xff\"}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"\xc3\"}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"\\ud800\"}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"\\u0000\"}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"a\\u0000b\"}", "not JSON" },
	{ "{\"v\":1,\"rule\":\"\"}", "rule: must not be empty" },
	{ "{\"v\":1,\"rule\":1}", "rule: must be a text" },
	{ "{\"v\":1,\"rule\":null}", "rule: must be a text" },
	{ "{\"v\":1,\"rule\":[\"a\"]}", "rule: must be a text" },
	{ "{\"v\":1,\"rule\":\"a\\u0007\"}", "rule: holds a control character" },
	{ "{\"v\":1,\"rule\":\"a\\u0085\"}", "rule: holds a control character" },
	{ "{\"v\":1,\"reference\":\"a\\nb\"}", "reference: holds a control character" },
	{ "{\"v\":1,\"reference\":\"\\u202eabc\"}", "mark of direction" },
	{ "{\"v\":1,\"seal\":false}", "seal: must be a text" },
	{ "{\"v\":1,\"sha256\":\"abc\"}", "sha256: must be 64 digits" },
	{ "{\"v\":1,\"sha256\":\"" HEX "0\"}", "sha256: is longer than 64" },
	{ "{\"v\":1,\"sha256\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}", "must be 64 digits" },
	{ "{\"v\":1,\"sha256\":\"0123456789abcdeg0123456789abcdef0123456789abcdef0123456789abcdef\"}", "must be 64 digits" },
	{ "{\"v\":1,\"name\":\"../x.pdf\"}", "name: is no file name on every system" },
	{ "{\"v\":1,\"name\":\"a/b.pdf\"}", "this one would be: \"a_b.pdf\"" },
	{ "{\"v\":1,\"name\":\"a\\\\b.pdf\"}", "name: is no file name" },
	{ "{\"v\":1,\"name\":\".hidden\"}", "this one would be: \"hidden\"" },
	{ "{\"v\":1,\"name\":\"..\"}", "name: is no file name" },
	{ "{\"v\":1,\"name\":\"CON.pdf\"}", "this one would be: \"_CON.pdf\"" },
	{ "{\"v\":1,\"name\":\"x. \"}", "name: is no file name" },
	{ "{\"v\":1,\"name\":\" x\"}", "name: is no file name" },
	{ "{\"v\":1,\"name\":\"a?.pdf\"}", "name: is no file name" },
	{ "{\"v\":1,\"hold\":false}", "hold: must be true or the reason" },
	{ "{\"v\":1,\"hold\":1}", "hold: must be true or the reason" },
	{ "{\"v\":1,\"hold\":\"\"}", "hold: must not be empty" },
	{ "{\"v\":1,\"hold\":\"a\\u001bb\"}", "hold: holds a control" },
	{ "{\"v\":1,\"fields\":[]}", "fields: must be an object" },
	{ "{\"v\":1,\"fields\":\"x\"}", "fields: must be an object" },
	{ "{\"v\":1,\"fields\":{\"a\":1}}", "fields.a: must be a text" },
	{ "{\"v\":1,\"fields\":{\"a\":{}}}", "fields.a: must be a text" },
	{ "{\"v\":1,\"fields\":{\"a\":\"\"}}", "fields.a: must not be empty" },
	{ "{\"v\":1,\"fields\":{\"A\":\"x\"}}", "fields.A: a field's name is" },
	{ "{\"v\":1,\"fields\":{\"\":\"x\"}}", "a field's name is" },
	{ "{\"v\":1,\"fields\":{\"1a\":\"x\"}}", "a field's name is" },
	{ "{\"v\":1,\"fields\":{\"a-b\":\"x\"}}", "a field's name is" },
	{ "{\"v\":1,\"fields\":{\"abcdefghijklmnopqrstuvwxyz012345\":\"x\"}}", "a field's name is" },
	{ "{\"v\":1,\"fields\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\",\"f\":\"1\",\"g\":\"1\",\"h\":\"1\",\"i\":\"1\",\"j\":\"1\","
	  "\"k\":\"1\",\"l\":\"1\",\"m\":\"1\",\"n\":\"1\",\"o\":\"1\",\"p\":\"1\",\"q\":\"1\"}}", "fields: has more than 16" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{}}", "decision: must be rule, at or both" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":[]}", "decision: must be an object" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"agin\":true}}", "decision.agin: there is no such key; did you mean \"again\"?" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":false}}", "decision.again: must be true" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true,\"rule\":\"x\"}}", "must be rule, at or both" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true,\"reject\":\"x\"}}", "must be rule, at or both" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"reject\":\"\"}}", "decision.reject: must not be empty" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"rule\":1}}", "decision.rule: must be a text" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":1,\"x\":2}}}", "decision.at: must be { \"page\": 1" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":0,\"x\":2,\"y\":3}}}", "decision.at.page: must be a page" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":1.5,\"x\":2,\"y\":3}}}", "decision.at.page: must be a page" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":1,\"x\":-1,\"y\":3}}}", "decision.at.x: must be a number of millimetres" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":1,\"x\":2,\"y\":10001}}}", "decision.at.y: must be a number" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"at\":{\"page\":1,\"x\":2,\"z\":3}}}", "decision.at.z: there is no such key" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true},\"rule\":\"a\"}", "decision: stands alone" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true},\"reference\":\"a\"}", "decision: stands alone" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true},\"hold\":true}", "decision: stands alone" },
	{ "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"again\":true},\"fields\":{\"a\":\"b\"}}", "decision: stands alone" },
	{ "{\"v\":1,\"decision\":{\"again\":true}}", "sha256: is missing; a decision" },
	{ "{\"v\":1,\"x\":[[[[[[[[1]]]]]]]]}", "is nested deeper than 8" },
	{ "[[[[[[[[[", "is nested deeper than 8" },
};

static void
test_decision(void)
{
	static const char at[] = "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"rule\":\"invoice\",\"at\":{\"page\":2,\"x\":25.4,\"y\":0}}}";
	static const char no[] = "{\"v\":1,\"sha256\":\"" HEX "\",\"decision\":{\"reject\":\"nein\"}}";
	static const char wrong_one[] = "{\"v\":1,\"decision\":{\"agian\":true}}";
	static const char half[] = "{\"v\":1,\"decision\":{\"again\"";
	struct ticket t;
	struct err e = { 0 };
	int r = 1;

	CHECK(ticket_decides(at, strlen(at), &t, &r, &e) && r == 0 && strcmp(t.decision.rule, "invoice") == 0 && t.decision.at &&
	        t.decision.page == 1 && t.decision.x == 72000 && t.decision.y == 0 && !t.decision.again,
	    "a decision has rule and place, in thousandths of a point (%s)", e.text);
	CHECK(ticket_decides(no, strlen(no), &t, &r, &e) && r == 0 && strcmp(t.decision.reject, "nein") == 0, "or a refusal");
	CHECK(ticket_decides(wrong_one, strlen(wrong_one), &t, &r, &e) && r == -ERR_TICKET_BAD, "a wrong one is one: %s", e.text);
	CHECK(!ticket_decides(half, strlen(half), &t, &r, &e), "one that breaks off is none yet");
	CHECK(!ticket_decides("{\"v\":1}", 7, &t, &r, &e), "a ticket for a document is none");
}

static void
test_wrong(void)
{
	struct ticket t;
	struct err e;
	bool unfinished;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int r = parse(wrong[i].text, strlen(wrong[i].text), &t, &unfinished, &e);

		CHECK(r == -ERR_TICKET_BAD && e.code == ERR_TICKET_BAD && strstr(e.text, wrong[i].says) != NULL,
		    "refused with \"%s\": %s", wrong[i].says, e.text);
	}
}

/* Every text has a longest one that is good, and the next is not. */
static void
test_bounds(void)
{
	static const struct {
		const char *before, *after;
		size_t longest;
	} cases[] = {
		{ "{\"v\":1,\"reference\":\"", "\"}", TICKET_REFERENCE_MAX },
		{ "{\"v\":1,\"rule\":\"", "\"}", MSG_NAME_MAX - 1 },
		{ "{\"v\":1,\"seal\":\"", "\"}", MSG_NAME_MAX - 1 },
		{ "{\"v\":1,\"name\":\"", "\"}", TICKET_NAME_MAX },
		{ "{\"v\":1,\"hold\":\"", "\"}", TICKET_VALUE_MAX },
		{ "{\"v\":1,\"fields\":{\"a\":\"", "\"}}", TICKET_VALUE_MAX },
		{ "{\"v\":1,\"fields\":{\"", "\":\"x\"}}", MSG_FIELD_KEY_MAX - 1 },
	};
	char text[1024], fill[512];
	struct ticket t;
	struct err e;
	bool unfinished;

	memset(fill, 'a', sizeof(fill));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t more = 0; more < 2; more++) {
			int n = snprintf(text, sizeof(text), "%s%.*s%s", cases[i].before, (int)(cases[i].longest + more), fill,
			    cases[i].after);

			CHECK((parse(text, (size_t)n, &t, &unfinished, &e) == 0) == (more == 0), "%s%zu bytes %s: %s",
			    cases[i].before, cases[i].longest + more, more ? "are too many" : "fit", e.text);
		}
}

static void
test_size(void)
{
	AUTO_FREE char *text = malloc(TICKET_MAX + 2);
	struct ticket t;
	struct err e;
	bool unfinished;

	if (text == NULL)
		abort();
	memset(text, ' ', TICKET_MAX + 2);
	memcpy(text, "{\"v\":1}", 7);
	CHECK(parse(text, TICKET_MAX, &t, &unfinished, &e) == 0, "as long as may be: %s", e.text);
	CHECK(parse(text, TICKET_MAX + 1, &t, &unfinished, &e) < 0 && strstr(e.text, "longer than 65536") != NULL,
	    "a byte more: %s", e.text);
	memset(text, '[', TICKET_MAX);
	CHECK(parse(text, TICKET_MAX, &t, &unfinished, &e) < 0 && strstr(e.text, "deeper") != NULL, "nothing but brackets: %s",
	    e.text);
	memset(text, '"', TICKET_MAX);
	CHECK(parse(text, TICKET_MAX, &t, &unfinished, &e) < 0, "nothing but quotes: %s", e.text);
	memset(text, '\\', TICKET_MAX);
	CHECK(parse(text, TICKET_MAX, &t, &unfinished, &e) < 0, "nothing but backslashes: %s", e.text);
}

/* Each beginning of a good ticket is unfinished and never read as whole; other mistakes are none of these. */
static void
test_unfinished(void)
{
	static const char all[] = "{\"v\":1,\"reference\":\"A\\u00e4\\\"\xc3\xa4\",\"fields\":{\"a\":\"b\"},\"hold\":true}";
	static const char *const not[] = { "{\"v\":2}", "x", "{\"v\":1,}", "{\"v\" 1}", "[1}", "{\"v\":1}}" };
	unsigned whole = 0, other = 0;
	struct ticket t;
	struct err e;
	bool unfinished;

	for (size_t n = 0; n < strlen(all); n++) {
		whole += parse(all, n, &t, &unfinished, &e) == 0;
		other += !unfinished;
		if (!unfinished)
			printf("# %.*s: %s\n", (int)n, all, e.text);
	}
	CHECK(whole == 0, "no beginning of a ticket is one");
	CHECK(other == 0, "and each may still become one");
	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		CHECK(parse(not[i], strlen(not[i]), &t, &unfinished, &e) < 0 && !unfinished, "%s will never be one: %s", not[i], e.text);
}

static void
test_bytes(void)
{
	static const char all[] = "{\"v\":1,\"reference\":\"AZ\",\"fields\":{\"a\":\"b\"},\"hold\":true,\"name\":\"x.pdf\"}";
	char text[sizeof(all)];
	unsigned good = 0, same = 0, bad = 0;
	struct ticket t, was;
	struct err e;
	bool unfinished;

	if (parse(all, strlen(all), &was, &unfinished, &e) < 0)
		abort();
	for (size_t at = 0; at < strlen(all); at++)
		for (int c = 0; c < 256; c++) {
			memcpy(text, all, sizeof(all));
			text[at] = (char)c;
			if (parse(text, strlen(all), &t, &unfinished, &e) == 0) {
				good++;
				same += memcmp(&t, &was, sizeof(t)) == 0 && c != all[at];
			} else {
				bad += e.code == ERR_TICKET_BAD && e.text[0] != '\0';
			}
		}
	CHECK(good + bad == 256 * strlen(all), "of %zu tickets with one byte changed each is read or refused with words",
	    256 * strlen(all));
	CHECK(same == 0, "and none that is read means the same");
}

static void
test_rights(void)
{
	static char *rules[] = { "invoice", "ask" }, *seals[] = { "stamp" };
	struct conf_folder f = { .name = "post", .rule_names = { rules, 2 }, .seal_names = { seals, 1 } },
			   none = { .name = "post" };
	struct ticket t = { .rule = "invoice", .seal = "stamp" };
	struct err e = { 0 };

	CHECK(ticket_check(&t, &f, &e) == 0, "what the folder has may be asked for");
	strcpy(t.seal, "official");
	CHECK(ticket_check(&t, &f, &e) == -ERR_TICKET_RIGHT &&
	        strcmp(e.text, "ticket: seal \"official\" may not be asked for in folder post; allowed: stamp") == 0,
	    "another seal may not: %s", e.text);
	strcpy(t.seal, "Stamp");
	CHECK(ticket_check(&t, &f, &e) == -ERR_TICKET_RIGHT, "nor one of another spelling");
	t.seal[0] = '\0';
	strcpy(t.rule, "invoice2");
	CHECK(ticket_check(&t, &f, &e) == -ERR_TICKET_RIGHT && strstr(e.text, "allowed: invoice, ask") != NULL,
	    "nor another rule: %s", e.text);
	CHECK(ticket_check(&t, &none, &e) == -ERR_TICKET_RIGHT && strstr(e.text, "none may") != NULL, "nor any where there is none: %s",
	    e.text);
	CHECK(ticket_stem("Brief.tif.ticket") == 9 && ticket_stem("a.ticket") == 1 && ticket_stem(".ticket") == 0 &&
	        ticket_stem("Brief.tif") == 0 && ticket_stem("Brief.tif.TICKET") == 0 && ticket_stem("ticket") == 0,
	    "a ticket has the document's whole name before its own ending");
}

static int
judge(char **files)
{
	for (; *files != NULL; files++) {
		struct err e = { 0 };
		struct ticket t;
		bool unfinished;
		AUTO_BUF b;

		buf_init(&b, TICKET_MAX + 1);
		if (io_read_file(AT_FDCWD, *files, &b, &e) == 0 && ticket_parse(b.data, b.len, &t, &unfinished, &e) == 0)
			printf("good\n");
		else
			printf("%s\n", e.text);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return judge(argv + 1);
	test_good();
	test_wrong();
	test_decision();
	test_bounds();
	test_size();
	test_unfinished();
	test_bytes();
	test_rights();
	return TEST_DONE();
}
