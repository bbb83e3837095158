/* t_jsonput.c - what is made in steps is whole, or it is not made, and so is its text. */
#include <stdlib.h>
#include <string.h>

#include "agent/jsonput.h"
#include "agent/markjson.h"
#include "tests/unit/test.h"

static unsigned long allocations, fail_at;

static void *
allocate(size_t n)
{
	return ++allocations == fail_at ? NULL : malloc(n);
}

static struct seal_marks marks;

/* On pages 1, 2 and 4 of four at one place, on page 3 at another. */
static void
marks_make(void)
{
	page_set_init(&marks.pages, 4);
	for (uint32_t i = 0; i < 4; i++)
		page_set_add(&marks.pages, i);
	marks.box = (struct box){ 28346, 1000, 56693, 90500 };
	marks.nown = 1;
	marks.own[0].page = 2;
	marks.own[0].box = (struct box){ 0, 0, 1500, 2250 };
}

/* As the records of a job are made. */
static char *
text(void)
{
	json_t *o = json_pack("{s:i}", "v", 1), *list = json_array();
	char *s;

	for (int i = 0; i < 9; i++)
		json_add(&list, json_pack("{s:i}", "page", i));
	json_put(&o, "list", list);
	json_put(&o, "name", json_string("letter.pdf"));
	json_put(&o, "marks", mark_json(&marks));
	s = json_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(o);
	return s;
}

int
main(void)
{
	unsigned long all, whole = 0, none = 0;
	char *want, *got;

	marks_make();
	json_set_alloc_funcs(allocate, free);
	want = text();
	all = allocations;
	CHECK(want != NULL && all > 20, "an object is made in steps");
	CHECK(want != NULL && strstr(want, "\"marks\":[{\"pages\":[1,2,4],\"box_pt\":[28.346,1.0,56.693,90.5]},"
	    "{\"pages\":[3],\"box_pt\":[0.0,0.0,1.5,2.25]}]") != NULL, "marks at one place are one entry: %s", want);
	for (fail_at = 1; fail_at <= all; fail_at++) {
		allocations = 0;
		got = text();
		none += got == NULL;
		whole += got != NULL && strcmp(got, want) == 0;
		free(got);
	}
	CHECK(none > 20, "one allocation of them fails: nothing is made");
	CHECK(none + whole == all, "or all, never a part (%lu, %lu of %lu)", none, whole, all);
	free(want);
	return TEST_DONE();
}
