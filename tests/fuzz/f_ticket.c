/*
 * f_ticket.c - any bytes as the ticket that lies beside a document.
 *
 * What is accepted holds texts that can be shown and logged as they are, and asks for
 * nothing that its folder does not allow; a refusal says why, and a text that is only
 * cut short is never one that could be right.
 */
#include "agent/lib/path.h"
#include "agent/ticket.h"
#include "tests/fuzz/fuzz.h"

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	return fuzz_mutate_value(data, size, max, seed);
}

static void
shown(const char *text, size_t size, const char *what)
{
	size_t n = strnlen(text, size);

	FUZZ_MUST(n < size && utf8_valid(text, n), "%s is no text", what);
	for (const char *p = text, *end = text + n; p < end;) {
		uint32_t c = utf8_next(&p, end);

		FUZZ_MUST(c >= 0x20 && !(c >= 0x7F && c < 0xA0) && !(c >= 0x202A && c <= 0x202E) && !(c >= 0x2066 && c <= 0x2069),
		    "U+%04X in %s", c, what);
	}
}

static void
allowed(const struct ticket *t)
{
	static char *rules[] = { "invoice" }, *seals[] = { "stamp" };
	const struct conf_folder f = { .name = "in", .rule_names = { rules, 1 }, .seal_names = { seals, 1 } };
	struct err e = { 0 };
	int r = ticket_check(t, &f, &e);

	FUZZ_MUST((r == 0) == ((t->rule[0] == '\0' || strcmp(t->rule, "invoice") == 0) && (t->seal[0] == '\0' || strcmp(t->seal, "stamp") == 0)),
	    "rule '%s' and seal '%s': %s", t->rule, t->seal, r == 0 ? "allowed" : e.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ticket t;
	struct err e = { 0 };
	bool unfinished = false;
	char *text = fuzz_text(data, size);

	(void)ticket_stem(text);
	free(text);
	if (ticket_parse(data, size, &t, &unfinished, &e) < 0) {
		FUZZ_MUST(e.code != ERR_OK && e.text[0] != '\0', "refused without a word");
		return 0;
	}
	fuzz_accepted();
	shown(t.reference, sizeof(t.reference), "the reference");
	shown(t.rule, sizeof(t.rule), "the rule");
	shown(t.seal, sizeof(t.seal), "the seal");
	shown(t.name, sizeof(t.name), "the name");
	shown(t.hold_why, sizeof(t.hold_why), "the reason to hold");
	FUZZ_MUST(strchr(t.name, '/') == NULL && t.name[0] != '.', "the result '%s' would lie elsewhere", t.name);
	FUZZ_MUST(t.nfields <= sizeof(t.fields) / sizeof(t.fields[0]), "%u fields", t.nfields);
	for (uint32_t i = 0; i < t.nfields; i++) {
		shown(t.fields[i].key, sizeof(t.fields[i].key), "a key");
		shown(t.fields[i].value, sizeof(t.fields[i].value), "a value");
	}
	allowed(&t);
	fuzz_planted(t.hold && t.reference[0] == '\0', data, size);
	return 0;
}
