/*
 * sealroom verify FILE - what the signatures of a PDF prove, by our own judges.
 *
 * The same two halves as in the daemon: a scan child finds signatures and byte
 * ranges, this process hashes the ranges, a verify child judges the DER.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/cmd_sigs.h"
#include "agent/earlier.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/loop.h"
#include "agent/lib/path.h"

#define TOTAL_MS 300000 /* a daemon waits for its children; a person should not for ever */

struct verify {
	struct cmd_sigs s;
	struct err err;        /* code ERR_OK: all went well */
	uint32_t verdict;
	const char *remark;    /* on the file as a whole; NULL: none */
};

/* A program that can not start would be tried again and again: say what it says. */
static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct verify *v = ctx;

	(void)role;
	(void)name;
	if (ready || why == NULL || why->code == ERR_OK || err_class(why->code) != ERR_CLASS_STOP)
		return;
	v->err = *why;
	loop_stop(v->s.loop);
}

static void
on_late(void *ctx)
{
	struct verify *v = ctx;

	err_set(&v->err, ERR_CHILD, "no answer within %d s", TOTAL_MS / 1000);
	loop_stop(v->s.loop);
}

static const char *const verdict_words[] = { "proven", "disproven", "cannot tell" };

/*
 * The seal is the last signature.  It may be in order and the file still hold what
 * it does not cover; and those in front of it are told, and count when they are broken.
 */
static void
conclude(struct verify *v)
{
	const struct judge_result *j = &v->s.judged;

	v->verdict = j->verdict;
	if (v->s.sigs.nsigs == 0)
		v->remark = "there is no signature in this file";
	else if (v->s.sigs.nsigs > j->nsigs)
		v->remark = "only the first signatures were judged";
	for (uint32_t i = 0; i < j->nsigs && v->remark == NULL; i++)
		if (v->s.params.earlier[i] && j->sigs[i].verdict == VERDICT_DISPROVEN) {
			v->verdict = VERDICT_DISPROVEN;
			v->remark = "a signature in front of the last one is broken";
		} else if (!v->s.params.earlier[i] && v->verdict == VERDICT_PROVEN && !j->sigs[i].is_timestamp && !j->sigs[i].covers_file) {
			v->verdict = VERDICT_UNKNOWN;
			v->remark = "a revision follows what a signature covers; what it changes is not judged";
		}
}

static int
open_file(struct verify *v, const char *path)
{
	struct stat st;

	if ((v->s.file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(v->s.file, &st) < 0)
		return err_sys(&v->err, ERR_IO, "the file");
	if (!S_ISREG(st.st_mode))
		return err_set(&v->err, ERR_USAGE, "not a regular file");
	v->s.file_len = (uint64_t)st.st_size;
	return 0;
}

static int
work(struct verify *v, const struct conf *conf, const char *path)
{
	const struct children_opts opts = { .conf = conf, .scan = true, .verify = true, .state_dir = -1,
		.changed = on_change, .ctx = v };
	int r;

	v->s.err = &v->err;
	if ((r = open_file(v, path)) < 0 || (r = loop_new(&v->s.loop, &v->err)) < 0)
		return r;
	if (loop_timer(v->s.loop, TOTAL_MS, on_late, v) == 0)
		r = err_set(&v->err, ERR_MEM, "timer");
	else if ((r = children_open(&v->s.children, v->s.loop, &opts, &v->err)) == 0 && (r = cmd_sigs_judge(&v->s)) == 0)
		conclude(v);
	children_close(v->s.children);
	loop_free(v->s.loop);
	return r;
}

static json_t *
sig_json(const struct judged_sig *s, bool earlier)
{
	char time[CLOCK_ISO_MAX] = "";
	json_t *reasons = json_array(), *o;

	for (uint32_t i = 0; i < s->nreasons; i++)
		json_array_append_new(reasons, json_string(s->reasons[i]));
	if (s->gen_time_us != 0)
		clock_iso_us(s->gen_time_us, time);
	o = json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:o}", "field", s->field, "verdict", verdict_words[s->verdict],
	    "level", level_name(s->level), "timestamp", (int)s->is_timestamp, "covers_file", (int)s->covers_file, "signer",
	    s->signer, "qualified", s->qualified, "reasons", reasons);
	if (earlier)
		json_object_set_new(o, "earlier", json_string(earlier_word(s)));
	if (s->gen_time_us != 0) {
		json_object_set_new(o, "stamped", json_string(time));
		json_object_set_new(o, "tsa", json_string(s->tsa_signer));
	}
	return o;
}

static json_t *
report_json(const struct verify *v)
{
	json_t *list = json_array(), *o;

	for (uint32_t i = 0; i < v->s.judged.nsigs; i++)
		json_array_append_new(list, sig_json(&v->s.judged.sigs[i], v->s.params.earlier[i] != 0));
	o = json_pack("{s:s, s:i, s:i, s:o}", "verdict", verdict_words[v->verdict], "pages", (int)v->s.sigs.pages, "warnings",
	    (int)v->s.sigs.warnings, "signatures", list);
	if (v->remark != NULL)
		json_object_set_new(o, "remark", json_string(v->remark));
	return o;
}

static void
sig_print(const struct judged_sig *s, bool earlier)
{
	char time[CLOCK_ISO_MAX];

	printf("  %s: %s", *s->field != '\0' ? s->field : "(no name)", verdict_words[s->verdict]);
	if (s->is_timestamp)
		printf(", document time stamp");
	else if (earlier)
		printf(", earlier signature, %s", earlier_word(s));
	else
		printf(", level %s, qualified: %s", level_name(s->level), s->qualified);
	printf(", %s\n    by %s\n", s->covers_file ? "covers the whole file" : "covers an earlier revision",
	    *s->signer != '\0' ? s->signer : "(nobody known)");
	if (s->gen_time_us != 0) {
		clock_iso(s->gen_time_us, time);
		printf("    stamped %s by %s\n", time, s->tsa_signer);
	}
	for (uint32_t i = 0; i < s->nreasons; i++)
		printf("    - %s\n", s->reasons[i]);
}

static void
report_print(const struct verify *v, const char *path)
{
	char shown[1024];

	path_display(path, shown, sizeof(shown));
	printf("%s: %s", shown, verdict_words[v->verdict]);
	if (v->remark != NULL)
		printf(" (%s)", v->remark);
	printf("\n");
	for (uint32_t i = 0; i < v->s.judged.nsigs; i++)
		sig_print(&v->s.judged.sigs[i], v->s.params.earlier[i] != 0);
	if (v->s.sigs.warnings > 0)
		printf("  - the file has structural faults: %u warnings of qpdf\n", v->s.sigs.warnings);
}

int
cmd_verify(struct cmd_args *a)
{
	struct verify v = { .s = { .file = -1 }, .verdict = VERDICT_UNKNOWN };
	struct conf *conf;
	int r, status;

	if (a->argc != 2)
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	r = work(&v, conf, a->argv[1]);
	if (r < 0) {
		/* a file that can not be read is an answer: cannot tell; anything else is ours */
		status = cmd_fail(a, &v.err);
		status = v.s.document ? VERDICT_UNKNOWN : status;
	} else if (a->json) {
		status = cmd_json(report_json(&v));
		status = status == EX_OK ? (int)v.verdict : status;
	} else {
		report_print(&v, a->argv[1]);
		status = cmd_done((int)v.verdict);
	}
	io_close(&v.s.file);
	conf_free(conf);
	return status;
}
