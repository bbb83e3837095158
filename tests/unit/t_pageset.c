/* Some pages of a document: kept, said and sent. */
#include <stdio.h>
#include <string.h>

#include "agent/lib/pageset.h"
#include "tests/unit/test.h"

static struct page_set set, again;

static void
test_text(void)
{
	static const struct {
		uint32_t pages[12], n;
		const char *text;
	} all[] = {
		{ { 0 }, 0, "" },
		{ { 7 }, 1, "7" },
		{ { 2, 3 }, 2, "2,3" },
		{ { 2, 3, 4 }, 3, "2-4" },
		{ { 2, 4, 6, 8 }, 4, "2-8/2" },
		{ { 1, 2, 3, 5, 8, 10, 12, 20 }, 8, "1-3,5-8/3,10,12-20/8" },
		{ { 20 }, 1, "20" },
		{ { 17, 18, 19, 20 }, 4, "17-20" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char text[64] = "?";

		page_set_init(&set, 20);
		for (uint32_t k = 0; k < all[i].n; k++)
			page_set_add(&set, all[i].pages[k] - 1);
		CHECK(page_set_text(&set, text, sizeof(text)), "%u pages are said", all[i].n);
		if (i == 5) /* whatever it is shortened to, it is these */
			CHECK(strlen(text) < sizeof(text) && page_set_count(&set) == 8, "a mixed set: %s", text);
		else
			CHECK(strcmp(text, all[i].text) == 0, "as \"%s\"", text);
	}
	page_set_init(&set, 10000);
	for (uint32_t i = 1; i < 10000; i += 2)
		page_set_add(&set, i);
	char text[64];
	CHECK(page_set_text(&set, text, sizeof(text)) && strcmp(text, "2-10000/2") == 0, "5,000 blank backs are a short list");
	CHECK(!page_set_text(&set, text, 5), "which must fit all the same");
}

/* What is said can be read again; and what people write. */
static void
test_read(void)
{
	static const struct {
		const char *text, *means; /* NULL: nothing */
	} all[] = {
		{ "7", "7" }, { "2,3", "2,3" }, { "2-4", "2-4" }, { "2-8/2", "2-8/2" }, { "20,1-3,2", "1-3,20" }, { "18-", "18-20" },
		{ "14-/2", "14-20/2" }, { "5-5", "5" }, { "", NULL }, { "0", NULL }, { "21", NULL }, { "4-21", NULL }, { "9-8", NULL },
		{ "1,", NULL }, { ",1", NULL }, { "-3", NULL }, { "1-3/0", NULL }, { "1/2", NULL }, { "1 ", NULL }, { "x", NULL },
		{ "4294967297", NULL }, { "1-3-5", NULL },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char text[64] = "?";
		bool ok;

		page_set_init(&set, 20);
		ok = page_set_read(&set, all[i].text);
		CHECK(ok == (all[i].means != NULL), "\"%s\" %s", all[i].text, ok ? "names pages" : "names no pages");
		if (ok)
			CHECK(page_set_text(&set, text, sizeof(text)) && strcmp(text, all[i].means) == 0, "namely %s", text);
	}
}

static void
test_bounds(void)
{
	AUTO_BUF b;

	page_set_init(&set, 9);
	page_set_add(&set, 8);
	page_set_add(&set, 9);
	page_set_add(&set, UINT32_MAX);
	CHECK(page_set_count(&set) == 1 && page_set_has(&set, 8) && !page_set_has(&set, 9), "there is no page behind the last");
	buf_init(&b, 64);
	page_set_put(&b, &set);
	CHECK(page_set_get(&b, &again) && memcmp(&set, &again, sizeof(set)) == 0, "what is sent arrives");
	buf_clear(&b);
	buf_put_u32(&b, PAGE_SET_MAX + 1);
	CHECK(!page_set_get(&b, &again) && again.pages == 0, "more pages than there can be are refused");
	buf_clear(&b);
	buf_put_u32(&b, 9);
	buf_put(&b, "\0\x02", 2);
	CHECK(!page_set_get(&b, &again), "so is one behind the last");
}

/* What lies between: the documents of a stack. */
static void
test_rest(void)
{
	static const struct {
		const char *set; /* of 9 pages */
		uint32_t n, first[5], last[5];
	} all[] = {
		{ "", 1, { 1 }, { 9 } },
		{ "1-9", 0, { 0 }, { 0 } },
		{ "1", 1, { 2 }, { 9 } },
		{ "9", 1, { 1 }, { 8 } },
		{ "2,5-6", 3, { 1, 3, 7 }, { 1, 4, 9 } },
		{ "1,3-9/2", 4, { 2, 4, 6, 8 }, { 2, 4, 6, 8 } },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct page_range r = { 77, 77 };
		bool right = true;

		page_set_init(&set, 9);
		right = all[i].set[0] == '\0' || page_set_read(&set, all[i].set);
		for (uint32_t k = 0; k < all[i].n; k++)
			right = right && page_set_rest(&set, k, &r) && r.first + 1 == all[i].first[k] && r.last + 1 == all[i].last[k];
		CHECK(right && page_set_rests(&set) == all[i].n, "\"%s\" leaves %u runs", all[i].set, all[i].n);
		CHECK(!page_set_rest(&set, all[i].n, &r) && !page_set_rest(&set, all[i].n + 7, &r), "and no more");
	}
}

int
main(void)
{
	test_rest();
	test_text();
	test_read();
	test_bounds();
	return TEST_DONE();
}
