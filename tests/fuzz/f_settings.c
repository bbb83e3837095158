/*
 * f_settings.c - any text as sealroom.conf.
 *
 * What is accepted must say the same when it is written out and read again: the
 * programs of the star get their settings as conf_text().  Reading settings
 * from memory opens no file: libconfig's @include would.
 */
#include <dlfcn.h>

#include "agent/lib/path.h"
#include "rules/conf.h"
#include "tests/fuzz/fuzz.h"

static bool reading;

/* libconfig opens what @include names by this function. */
FILE *fopen(const char *restrict path, const char *restrict mode);
FILE *
fopen(const char *restrict path, const char *restrict mode)
{
	static FILE *(*real)(const char *, const char *);

	FUZZ_MUST(!reading, "settings opened the file %s", path);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	return real(path, mode);
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	return fuzz_mutate_value(data, size, max, seed);
}

static void
again(const struct conf *c)
{
	char *text = conf_text(c), *shown = conf_show(c), *second;
	struct conf *d = NULL;
	struct err e = { 0 };

	FUZZ_MUST(text != NULL && shown != NULL, "no text of accepted settings");
	FUZZ_MUST(utf8_valid(text, strlen(text)), "the effective settings are not UTF-8");
	FUZZ_MUST(conf_parse(&d, text, &e) == 0, "effective settings do not read back: %s\n%s", e.text, text);
	second = conf_text(d);
	FUZZ_MUST(second != NULL && strcmp(text, second) == 0, "effective settings read back as others:\n%s\n---\n%s", text, second);
	FUZZ_MUST(memcmp(c->hash, d->hash, HASH_LEN) == 0, "and have another hash");
	free(second);
	free(text);
	free(shown);
	conf_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct conf_problem *problems;
	char *text = fuzz_text(data, size);
	struct conf *c = NULL;
	struct err e = { 0 };
	int r;

	reading = true;
	r = conf_parse(&c, text, &e);
	reading = false;
	if (r == 0) {
		fuzz_accepted();
		again(c);
		fuzz_planted(crc32c(0, data, size) % 16 == 7, data, size);
		conf_free(c);
	} else {
		FUZZ_MUST(e.code != ERR_OK && e.text[0] != '\0', "refused without a word");
		for (size_t i = 0, n = conf_problems(&problems); i < n; i++)
			FUZZ_MUST(problems[i].text[0] != '\0' && memchr(problems[i].text, '\0', sizeof(problems[i].text)) != NULL,
			    "a problem without words");
	}
	free(text);
	return 0;
}
