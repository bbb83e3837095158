/* What people read: each reason has its sentences, in both languages, whole and filled. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"
#include "agent/messages.h"
#include "tests/unit/test.h"

static struct claim claim = { .id = "01j0abcdefghjkmnpqrstvwxyz", .folder = "rechnungen", .name = "Brief.tif" };

static void
test_codes(void)
{
	unsigned n = 0, bad = 0, same = 0, holes = 0;

	for (int i = 1; i < ERR_CODE_COUNT; i++) {
		struct err why = { .code = (enum err_code)i, .page = 3 };
		struct message en, de, other;

		if (err_class(why.code) != ERR_CLASS_REJECT && err_class(why.code) != ERR_CLASS_HOLD)
			continue;
		n++;
		message_make("en", &why, "Freigabe", &en);
		message_make("de", &why, "Freigabe", &de);
		message_make("en", &(struct err){ .code = ERR_LOG }, "", &other);
		if (strlen(en.what) < 20 || strlen(en.now) < 20 || strcmp(en.what, other.what) == 0) {
			printf("# %s has no sentence\n", err_word(why.code));
			bad++;
		}
		if (strcmp(en.what, de.what) == 0 || strcmp(en.now, de.now) == 0 || strcmp(de.where, "Seite 3") != 0) {
			printf("# %s is not translated\n", err_word(why.code));
			same++;
		}
		if (strchr(en.what, '{') || strchr(de.what, '{') || strchr(en.now, '{') || strchr(de.now, '{') ||
		    !utf8_valid(de.what, strlen(de.what)) || !utf8_valid(de.now, strlen(de.now)))
			holes++;
	}
	CHECK(n > 0 && bad == 0, "all %u reasons of refused and held have their own sentences", n);
	CHECK(same == 0, "and a German translation");
	CHECK(holes == 0, "nothing is left unfilled");
}

static void
test_words(void)
{
	struct err why = { .code = ERR_ANCHOR_MANY };
	struct message m;
	char longest[MSG_TEXT_MAX];

	message_make("de", &why, "Freigabe", &m);
	CHECK(strstr(m.what, "„Freigabe“") != NULL && m.where[0] == '\0', "the words looked for are named: %s", m.what);
	message_make("de", &why, "", &m);
	CHECK(strstr(m.what, "„") == NULL, "without words the sentence does without: %s", m.what);
	message_make("de", &why, "a%n%s{word}\n\x1b[2J\xff", &m);
	CHECK(strstr(m.what, "a%n%s{word}%0A%1B[2J%FF") != NULL, "words are data: %s", m.what);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	message_make("de", &why, longest, &m);
	CHECK(strlen(m.what) < MESSAGE_MAX, "the longest words fit");
	message_make("fr", &why, "", &m);
	CHECK(strstr(m.what, "not certain") != NULL, "a language without catalogue is English");
	message_make("de", &why, "", &m);
	CHECK(strstr(m.what, "eindeutig") != NULL, "and German is German again");
	CHECK(strcmp(strerror(EACCES), "Permission denied") == 0, "errors for the log stay English");
}

static char *
note(enum message_kind kind, const char *language, const struct err *why, const char *say)
{
	struct buf b;
	struct err e;

	buf_init(&b, 16384);
	if (message_file(&b, kind, language, &claim, why, "Freigabe", say, &e) < 0)
		abort();
	return buf_take_text(&b);
}

static void
test_note(void)
{
	struct err why = { .code = ERR_DOC_BAD, .page = 2, .text = "strip 3 lies outside the file\x1b" };
	char *t, *u;
	size_t longest = 0;
	bool crlf = true;

	setenv("TZ", "CET-1", 1);
	claim.received_us = 1795340070000000; /* date -u -d @1795340070: 2026-11-22 09:34:30 */
	t = note(MESSAGE_REFUSED, "de", &why, "");
	for (char *p = t, *q; *p; p = q + 1) {
		const char *s = p;
		size_t n = 0;

		if ((q = strchr(p, '\n')) == NULL || q == p || q[-1] != '\r') {
			crlf = false;
			break;
		}
		while (s < q - 1) {
			utf8_next(&s, q - 1);
			n++;
		}
		if (n > longest)
			longest = n;
	}
	CHECK(crlf, "every line ends CRLF");
	CHECK(longest <= 80, "no line is longer than a Notepad window (%zu)", longest);
	CHECK(strncmp(t, "Brief.tif wurde nicht gesiegelt.\r\n", 34) == 0, "it begins with what matters, without a mark");
	CHECK(strstr(t, "Seite 2\r\n") && strstr(t, claim.id) && strstr(t, "22.11.2026, 10:34 Uhr") &&
	          strstr(t, "document-damaged: strip 3 lies outside the file%1B\r\n"),
	    "page, job, local time and reason are in it");
	u = note(MESSAGE_REFUSED, "de", &why, "");
	CHECK(strcmp(t, u) == 0, "the same input gives the same bytes");
	free(u);
	free(t);
	why = (struct err){ .code = ERR_RULE_HOLD };
	t = note(MESSAGE_HELD, "en", &why, "Please ask Mrs Meier.\nRoom 12.");
	CHECK(strstr(t, "waits for a decision") && strstr(t, "Please ask Mrs Meier. Room 12.") &&
	          strstr(t, "sealroom release 01j0abcdefghjkmnpqrstvwxyz"),
	    "held: a rule's own sentence, and how to go on");
	free(t);
	printf("# a note as it is:\n");
	t = note(MESSAGE_HELD, "de", &(struct err){ .code = ERR_ANCHOR_MANY, .page = 1, .text = "3 places" }, "");
	for (char *p = strtok(t, "\r\n"); p != NULL; p = strtok(NULL, "\r\n"))
		printf("# %s\n", p);
	free(t);
}

int
main(void)
{
	char dir[512];
	const char *bin = getenv("SEALROOM_BIN");

	snprintf(dir, sizeof(dir), "%s/locale", bin != NULL ? bin : "build");
	message_open(dir);
	test_codes();
	test_words();
	test_note();
	return TEST_DONE();
}
