/*
 * Evidence records with every call failing once: a record is there whole or not at
 * all, what fails is said, and done again it is done.
 */
#include "tests/unit/faults.h"

#include "agent/lib/io.h"
#include "seal/evidence/er.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static const char token[] = "a time stamp";
static struct archive *archive;
static struct elog *l;
static char path[64];
static int dir;
static struct hashtree *whole;
static struct buf text;

static int
gather(struct hashtree **ret, struct err *e)
{
	struct er_gather *g;
	int r = er_gather_new(&g, l, dir, 0, elog_published(l) - 1, elog_published(l), e);

	if (r < 0)
		return r;
	while ((r = er_gather_step(g, 64, e)) == 0)
		;
	if (r == 1)
		*ret = er_gather_take(g);
	er_gather_free(g);
	return r;
}

static bool
same(const struct hashtree *t)
{
	struct err e = { 0 };
	bool good;
	struct buf b;

	buf_init(&b, HASHTREE_TEXT_MAX);
	good = hashtree_text(t, &b, &e) == 0 && b.len == text.len && memcmp(b.data, text.data, b.len) == 0;
	buf_done(&b);
	return good;
}

/* What lies there now: nothing, or all of it. */
static bool
whole_or_none(void)
{
	struct hashtree *t;
	struct err e = { 0 };
	struct buf b;
	bool good;

	if (er_there(dir, 1, &e) == 0)
		return true;
	buf_init(&b, ER_TOKEN_MAX);
	good = er_token(dir, 1, &b, &e) == 0 && b.len == strlen(token) && memcmp(b.data, token, b.len) == 0;
	buf_done(&b);
	if (er_tree(dir, 1, &t, &e) < 0)
		return false;
	good = good && same(t);
	hashtree_free(t);
	return good;
}

static int
write_it(struct err *e)
{
	return er_write(dir, 1, whole, token, strlen(token), e);
}

static int
read_it(struct err *e)
{
	struct er_chain c = { .n = 1, .record = { 1 } };
	struct hashtree *t = NULL;
	struct entry_file f[2];
	struct buf out;
	int r = er_tree(dir, 1, &t, e);

	buf_init(&out, 1 << 20);
	if (r == 0 && (r = er_files(dir, 1, f, e)) == 0)
		r = er_compose(dir, &c, NULL, 0, NULL, &out, e);
	hashtree_free(t);
	buf_done(&out);
	return r;
}

static int
gather_it(struct err *e)
{
	struct hashtree *t = NULL;
	int r = gather(&t, e);

	hashtree_free(t);
	return r;
}

static int
remove_it(struct err *e)
{
	return er_remove(dir, 1, e);
}

static const struct {
	const char *what;
	int (*run)(struct err *);
	bool there; /* before it */
} steps[] = { { "writing", write_it, false }, { "reading", read_it, true }, { "gathering", gather_it, false }, { "removing", remove_it, true } };

static void
put_back(bool there)
{
	struct err e = { 0 };

	if (er_there(dir, 1, &e) == !there && (there ? write_it(&e) : er_remove(dir, 1, &e)) < 0)
		sample_die(&e);
}

int
main(void)
{
	static const enum faults kinds[] = { FAULTS_IO, FAULTS_SPACE, FAULTS_SHORT, FAULTS_MEM };
	struct err e = { 0 };

	dir = tmpdir_make(path);
	sample_make(path, 300);
	if (archive_open(&archive, path, &e) < 0)
		sample_die(&e);
	l = sample_log(archive);
	buf_init(&text, HASHTREE_TEXT_MAX);
	if (gather(&whole, &e) < 0 || hashtree_text(whole, &text, &e) < 0)
		sample_die(&e);
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			unsigned long n = 0;
			unsigned bad = 0;
			bool came = true;

			while (came) {
				int r;

				put_back(steps[s].there);
				e = (struct err){ 0 };
				faults_arm(kinds[k], ++n);
				r = steps[s].run(&e);
				came = faults_hit();
				/* a step that fails says why; one that does not has done it all */
				if ((r < 0) != (e.code != ERR_OK) || (r < 0 && e.text[0] == '\0') || !whole_or_none()) {
					bad++;
					printf("# %s, %s in call %lu (%s): %d %s\n", steps[s].what, faults_names[kinds[k]], n, faults_call, r, e.text);
				}
				put_back(steps[s].there);
				if (steps[s].run(&e) < 0)
					bad++;
			}
			CHECK(bad == 0, "%s: %s in each of %lu calls", steps[s].what, faults_names[kinds[k]], n - 1);
		}
	hashtree_free(whole);
	buf_done(&text);
	elog_free(l);
	archive_free(archive);
	tmpdir_remove(dir, path);
	return TEST_DONE();
}
