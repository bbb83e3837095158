/*
 * sealroom rules test DIR [--accept FOLDER] - samples and what must become of
 * them, for who changes rules: does every one still come out as it should?
 *
 * Beside a sample lies SAMPLE.expect, a JSON object (sealroom(1)); what it names
 * is compared with what `sealroom try` says, what it does not name is free.
 * --accept writes one for each sample that has none, as it comes out now.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/cmd.h"

#define SUFFIX ".expect"
#define WITHIN_MM 2.0
#define MPT_TO_MM (25.4 / 72000)
#define EXPECT_MAX 65536

struct tests {
	const struct conf *conf;
	struct try *try;
	const struct conf_folder *accept; /* for samples without an expectation; NULL: they are left alone */
	const char *dir;
	json_t *samples;                  /* for --json: one object each */
	bool quiet;
	size_t passed, failed;
	struct err err;
};

/* --- one sample ------------------------------------------------------------------------------- */

static const char *const keys[] = { "folder", "rule", "seal", "name", "mode", "page", "hold", "divide", "box", "within", "values", NULL };

static bool
key_known(const char *key)
{
	for (size_t i = 0; keys[i] != NULL; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static void differs(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
differs(json_t *list, const char *fmt, ...)
{
	char text[2 * MSG_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
}

/* A text or a number, as a person would write it; "" where there is none. */
static const char *
shown(const json_t *v, char dst[MSG_TEXT_MAX])
{
	if (json_is_integer(v))
		snprintf(dst, MSG_TEXT_MAX, "%lld", (long long)json_integer_value(v));
	else
		path_display(json_is_string(v) ? json_string_value(v) : "", dst, MSG_TEXT_MAX);
	return dst;
}

static void
compare_value(const char *what, const json_t *want, const json_t *got, json_t *list)
{
	char a[MSG_TEXT_MAX], b[MSG_TEXT_MAX];

	if (strcmp(shown(want, a), shown(got, b)) != 0)
		differs(list, "%s: \"%s\", not \"%s\"", what, b, a);
}

static void
compare_box(const json_t *expect, const json_t *result, json_t *list)
{
	const json_t *want = json_object_get(expect, "box"), *got = json_object_get(result, "box_mpt"), *within = json_object_get(expect, "within");
	double most = json_is_number(within) ? json_number_value(within) : WITHIN_MM, off = 0;

	if (!json_is_array(got)) {
		differs(list, "box: there is none");
		return;
	}
	for (size_t i = 0; i < 4; i++)
		off = fmax(off, fabs(json_number_value(json_array_get(got, i)) * MPT_TO_MM - json_number_value(json_array_get(want, i))));
	if (!(off <= most))
		differs(list, "box: off by %.1f mm, %.1f are allowed", off, most);
}

/* What the expectation names; the list of what differs is the caller's. */
static json_t *
compare(const json_t *expect, const json_t *result)
{
	json_t *list = json_array(), *v;
	const char *key, *name;
	char what[MSG_NAME_MAX + 16];

	json_object_foreach((json_t *)(uintptr_t)expect, key, v) {
		if (strcmp(key, "folder") == 0 || strcmp(key, "within") == 0)
			continue;
		if (strcmp(key, "box") == 0) {
			compare_box(expect, result, list);
		} else if (strcmp(key, "values") == 0) {
			json_t *one;

			json_object_foreach(v, name, one) {
				snprintf(what, sizeof(what), "find %.*s", MSG_NAME_MAX, name);
				compare_value(what, one, json_object_get(json_object_get(result, "values"), name), list);
			}
		} else {
			compare_value(key, v, json_object_get(result, key), list);
		}
	}
	return list;
}

/* --- expectations --------------------------------------------------------------------------------- */

static int
expect_read(struct tests *t, const char *path, json_t **ret, struct err *e)
{
	json_error_t why;
	const char *key;
	json_t *o, *v;
	AUTO_BUF b;
	int r;

	(void)t;
	buf_init(&b, EXPECT_MAX);
	if ((r = io_read_file(AT_FDCWD, path, &b, e)) < 0)
		return r;
	if ((o = json_loadb((const char *)b.data, b.len, JSON_REJECT_DUPLICATES, &why)) == NULL)
		return err_set(e, ERR_USAGE, "line %d: %.120s", why.line, why.text);
	if (!json_is_object(o) || !json_is_string(json_object_get(o, "folder")))
		r = err_set(e, ERR_USAGE, "must be an object with a \"folder\"");
	json_object_foreach(o, key, v)
		if (r == 0 && !key_known(key))
			r = err_set(e, ERR_USAGE, "there is no key \"%.60s\"", key);
	if (r < 0)
		json_decref(o);
	else
		*ret = o;
	return r;
}

/* A name that changes from day to day is not expected. */
static bool
name_lasts(const struct conf *c, const char *rule)
{
	const struct conf_rule *r = conf_rule(c, rule);

	return r != NULL && strstr(r->result_name, "{received") == NULL && strstr(r->result_name, "{id") == NULL;
}

static json_t *
expect_make(const struct tests *t, const json_t *result)
{
	static const char *const texts[] = { "rule", "seal", "mode", "page", "hold", "divide" };
	json_t *o = json_pack("{s:s}", "folder", t->accept->name), *box = json_object_get(result, "box_mpt"), *mm, *v;
	const char *rule = json_string_value(json_object_get(result, "rule"));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if ((v = json_object_get(result, texts[i])) != NULL)
			json_object_set(o, texts[i], v);
	if (rule != NULL && name_lasts(t->conf, rule))
		json_object_set(o, "name", json_object_get(result, "name"));
	if (json_object_size(json_object_get(result, "values")) > 0)
		json_object_set(o, "values", json_object_get(result, "values"));
	if (json_is_array(box)) {
		mm = json_array();
		for (size_t i = 0; i < 4; i++)
			json_array_append_new(mm, json_real(round(json_number_value(json_array_get(box, i)) * MPT_TO_MM * 10) / 10));
		json_object_set_new(o, "box", mm);
	}
	return o;
}

static int
expect_write(const struct tests *t, const char *path, const json_t *report, struct err *e)
{
	json_t *o = expect_make(t, json_object_get(report, "result"));
	AUTO_FREE char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	json_decref(o);
	if (fd < 0)
		return err_sys(e, ERR_IO, "writing");
	if (text == NULL)
		return err_set(e, ERR_MEM, "an expectation");
	r = io_write_full(fd, text, strlen(text), e);
	return r < 0 ? r : io_write_full(fd, "\n", 1, e);
}

/* --- all of them ------------------------------------------------------------------------------------- */

static void
tell(struct tests *t, const char *name, json_t *differences, const struct err *e)
{
	char text[MSG_TEXT_MAX];
	const json_t *one;
	size_t i;

	if (e->code != ERR_OK)
		differs(differences, "%s: %s", err_word(e->code), e->text);
	*(json_array_size(differences) == 0 ? &t->passed : &t->failed) += 1;
	path_display(name, text, sizeof(text));
	if (!t->quiet)
		printf("%s %s\n", json_array_size(differences) == 0 ? "ok    " : "not ok", text);
	json_array_foreach(differences, i, one)
		if (!t->quiet)
			printf("         %s\n", json_string_value(one));
	json_array_append_new(t->samples, json_pack("{s:s, s:b, s:O}", "sample", text, "ok", json_array_size(differences) == 0,
	    "differs", differences));
}

/* A refusal is an outcome as well: "hold" names its word. */
static int
sample_try(struct tests *t, const struct conf_folder *f, const char *path, json_t **ret, struct err *e)
{
	int r = try_file(t->try, f, path, ret, e);

	if (r == 0 || (err_class((enum err_code)-r) != ERR_CLASS_REJECT && err_class((enum err_code)-r) != ERR_CLASS_HOLD))
		return r;
	*ret = json_pack("{s:{s:s}}", "result", "hold", err_word((enum err_code)-r));
	*e = (struct err){ 0 };
	return *ret == NULL ? err_set(e, ERR_MEM, "the answer") : 0;
}

static void
sample_test(struct tests *t, const char *name)
{
	char path[PATH_MAX], beside[PATH_MAX];
	const struct conf_folder *f = t->accept;
	json_t *expect = NULL, *report = NULL, *differences = json_array();
	struct err e = { 0 };
	bool there;

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	snprintf(beside, sizeof(beside), "%s/%s" SUFFIX, t->dir, name);
	there = access(beside, F_OK) == 0;
	if (there && expect_read(t, beside, &expect, &e) == 0) {
		f = conf_folder(t->conf, json_string_value(json_object_get(expect, "folder")));
		if (f == NULL)
			err_set(&e, ERR_USAGE, "the settings have no folder of that name");
	}
	if ((there || f != NULL) && e.code == ERR_OK && sample_try(t, f, path, &report, &e) == 0) {
		if (there) {
			json_decref(differences);
			differences = compare(expect, json_object_get(report, "result"));
		} else {
			expect_write(t, beside, report, &e);
		}
	}
	if (there || f != NULL)
		tell(t, name, differences, &e);
	json_decref(differences);
	json_decref(expect);
	json_decref(report);
}

static int
is_sample(const struct dirent *d)
{
	size_t n = strlen(d->d_name), s = strlen(SUFFIX);

	return d->d_name[0] != '.' && !(n > s && strcmp(d->d_name + n - s, SUFFIX) == 0);
}

static int
all_samples(struct tests *t)
{
	struct dirent **list;
	int n = scandir(t->dir, &list, is_sample, alphasort);

	if (n < 0)
		return err_sys(&t->err, ERR_USAGE, "the directory");
	for (int i = 0; i < n; i++) {
		sample_test(t, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return t->passed + t->failed > 0 ? 0 : err_set(&t->err, ERR_USAGE, "no sample with a " SUFFIX " beside it");
}

int
cmd_rules(struct cmd_args *a)
{
	struct tests t = { .quiet = a->json };
	const char *accept = NULL;
	struct conf *conf;
	int status;

	if (cmd_option(a, "--accept", &accept) < 0 || a->argc != 3 || strcmp(a->argv[1], "test") != 0)
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	t.conf = conf;
	t.dir = a->argv[2];
	t.samples = json_array();
	if ((t.try = try_new(conf)) == NULL)
		err_set(&t.err, ERR_MEM, "samples");
	else if (accept != NULL && (t.accept = conf_folder(conf, accept)) == NULL)
		err_set(&t.err, ERR_USAGE, "there is no folder '%s' in the settings", accept);
	if (t.err.code != ERR_OK || all_samples(&t) < 0)
		status = cmd_fail(a, &t.err);
	else if (a->json)
		status = cmd_json(json_pack("{s:I, s:I, s:O}", "passed", (json_int_t)t.passed, "failed", (json_int_t)t.failed, "samples",
		    t.samples));
	else
		printf("%zu as expected, %zu not\n", t.passed, t.failed);
	if (status == EX_OK && (status = cmd_done(EX_OK)) == EX_OK && t.failed > 0)
		status = 1;
	json_decref(t.samples);
	try_free(t.try);
	conf_free(conf);
	return status;
}
