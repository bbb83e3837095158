/* t_continued.c - a name that comes again soon is told apart from one that comes often. */
#include <stdio.h>
#include <string.h>

#include "agent/continued.h"
#include "tests/unit/test.h"

static struct continued taken;

/* The job that it may continue; "": none. */
static const char *
note(const char *folder, const char *name, uint8_t byte, const char *id, uint64_t now_ms)
{
	uint8_t source[HASH_LEN];
	const char *found;

	memset(source, byte, sizeof(source));
	found = continued_note(&taken, folder, name, source, id, now_ms);
	return found == NULL ? "" : found;
}

int
main(void)
{
	char name[32];

	CHECK(*note("post", "scan.pdf", 1, "a", 1000) == '\0', "a name that was never taken continues nothing");
	CHECK(strcmp(note("post", "scan.pdf", 2, "b", 60000), "a") == 0, "the same name a minute later, with other bytes, may continue it");
	CHECK(strcmp(note("post", "scan.pdf", 3, "c", 61000), "b") == 0, "a third may continue the second");
	CHECK(strcmp(note("post", "scan.pdf", 3, "d", 62000), "b") == 0, "the same bytes again are a duplicate: it is the one before that they continue");
	CHECK(*note("mail", "scan.pdf", 4, "e", 63000) == '\0', "another folder's file of that name continues nothing");
	CHECK(*note("post", "scan.pd", 5, "f", 63000) == '\0' && *note("pos", "tscan.pdf", 6, "g", 63000) == '\0', "nor does another name");
	CHECK(*note("post", "scan.pdf", 7, "h", 62000 + CONTINUED_MS) == '\0', "nor what comes ten minutes later");
	for (int i = 0; i < CONTINUED_NAMES; i++) {
		snprintf(name, sizeof(name), "%d.pdf", i);
		note("post", name, 8, "i", 62000 + CONTINUED_MS);
	}
	CHECK(*note("post", "scan.pdf", 9, "j", 62000 + CONTINUED_MS) == '\0', "the oldest are forgotten first");
	CHECK(strcmp(note("post", "511.pdf", 9, "k", 62000 + CONTINUED_MS), "i") == 0, "the newest are not");
	return TEST_DONE();
}
