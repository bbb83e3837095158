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
#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/loop.h"
#include "agent/lib/path.h"
#include "agent/sealing.h"

#define SIGS_MIB 1024
#define SIGS_MS 120000
#define JUDGE_MIB 256
#define JUDGE_MS 30000
#define TOTAL_MS 300000 /* a daemon waits for its children; a person should not for ever */
#define SIGS_LIST_MAX ((uint64_t)SIGS_MAX * (SIGS_CMS_MAX + 4096))

struct verify {
	struct loop *loop;
	struct children *children;
	int file, list;        /* the PDF; what the scan child found */
	uint64_t file_len;
	struct sigs_result sigs;
	struct judge_result judged;
	struct err err;        /* code ERR_OK: all went well */
	bool document;         /* err is the document's fault: cannot tell */
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
	loop_stop(v->loop);
}

static void
on_late(void *ctx)
{
	struct verify *v = ctx;

	err_set(&v->err, ERR_CHILD, "no answer within %d s", TOTAL_MS / 1000);
	loop_stop(v->loop);
}

static const char *const verdict_words[] = { "proven", "disproven", "cannot tell" };

static void
on_sigs(void *ctx, const struct task_outcome *o)
{
	struct verify *v = ctx;

	if (o->err != NULL) {
		v->err = *o->err;
		v->document = !o->lost && (o->crashed || o->timed_out || err_class(o->err->code) != ERR_CLASS_STOP);
	} else {
		sigs_result_get(o->result, &v->sigs, &v->err);
	}
	loop_stop(v->loop);
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct verify *v = ctx;

	if (o->err != NULL)
		v->err = *o->err;
	else
		judge_result_get(o->result, &v->judged, &v->err);
	loop_stop(v->loop);
}

/* A ByteRange that leaves the file is hashed as nothing; the judge sees the range and disproves. */
static int
hash_one(struct verify *v, struct buf *list, uint8_t hash[HASH_LEN])
{
	struct sig_info s;
	int r = sig_info_get(list, &s, &v->err);

	if (r < 0)
		return r;
	memset(hash, 0, HASH_LEN);
	if (s.range[1] <= v->file_len && s.range[0] <= v->file_len - s.range[1] && s.range[3] <= v->file_len &&
	    s.range[2] <= v->file_len - s.range[3])
		r = hash_ranges(v->file, s.range, hash, &v->err);
	sig_info_done(&s);
	return r;
}

static int
make_params(struct verify *v, struct judge_params *p)
{
	AUTO_FREE uint8_t *data = NULL;
	struct buf list;
	uint64_t len;
	int r;

	p->now_us = clock_wall_us();
	p->file_len = v->file_len;
	p->nsigs = v->sigs.nsigs;
	if ((r = io_size(v->list, &len, &v->err)) < 0)
		return r;
	if (len > SIGS_LIST_MAX || (data = malloc((size_t)len + 1)) == NULL)
		return err_set(&v->err, ERR_MEM, "%llu bytes of signatures", (unsigned long long)len);
	if ((r = io_pread_full(v->list, data, (size_t)len, 0, &v->err)) < 0)
		return r;
	buf_view(&list, data, (size_t)len);
	for (uint32_t i = 0; i < p->nsigs && i < SIGS_MAX; i++)
		if ((r = hash_one(v, &list, p->range_hash[i])) < 0)
			return r;
	return 0;
}

static int
run_task(struct verify *v, const struct task_req *req, task_cb *cb)
{
	if (children_task(v->children, req, cb, v) == 0)
		return err_set(&v->err, ERR_MEM, "task");
	/* a program may have failed to start before the loop runs */
	if (v->err.code == ERR_OK)
		loop_run(v->loop, &v->err);
	return -(int)v->err.code;
}

static int
find_and_judge(struct verify *v)
{
	struct task_req sigs = { .kind = TASK_SIGS, .in = v->file, .out = v->list, .as_mib = SIGS_MIB, .cpu_s = 60,
		.fsize = SIGS_LIST_MAX, .deadline_ms = SIGS_MS };
	struct task_req judge = { .kind = TASK_JUDGE, .in = v->list, .out = -1, .as_mib = JUDGE_MIB, .cpu_s = 20,
		.deadline_ms = JUDGE_MS };
	AUTO_FREE struct judge_params *p = calloc(1, sizeof(*p));
	AUTO_BUF none, params;
	int r;

	buf_init(&none, 0);
	buf_init(&params, WIRE_PAYLOAD);
	sigs.params = &none;
	judge.params = &params;
	if (p == NULL)
		return err_set(&v->err, ERR_MEM, "parameters");
	if ((r = run_task(v, &sigs, on_sigs)) < 0 || (r = make_params(v, p)) < 0)
		return r;
	judge_params_put(&params, p);
	return run_task(v, &judge, on_judged);
}

/* The signatures may be in order and the file still hold what none of them covers. */
static void
conclude(struct verify *v)
{
	const struct judge_result *j = &v->judged;

	v->verdict = j->verdict;
	if (v->sigs.nsigs == 0)
		v->remark = "there is no signature in this file";
	else if (v->sigs.nsigs > j->nsigs)
		v->remark = "only the first signatures were judged";
	for (uint32_t i = 0; i < j->nsigs && v->remark == NULL && v->verdict == VERDICT_PROVEN; i++)
		if (!j->sigs[i].is_timestamp && !j->sigs[i].covers_file) {
			v->verdict = VERDICT_UNKNOWN;
			v->remark = "a revision follows what a signature covers; what it changes is not judged";
		}
}

static int
open_file(struct verify *v, const char *path)
{
	struct stat st;

	if ((v->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(v->file, &st) < 0)
		return err_sys(&v->err, ERR_IO, "the file");
	if (!S_ISREG(st.st_mode))
		return err_set(&v->err, ERR_USAGE, "not a regular file");
	v->file_len = (uint64_t)st.st_size;
	if ((v->list = memfd_create("signatures", MFD_CLOEXEC)) < 0)
		return err_sys(&v->err, ERR_MEM, "list of signatures");
	return 0;
}

static int
work(struct verify *v, const struct conf *conf, const char *path)
{
	const struct children_opts opts = { .conf = conf, .scan = true, .verify = true, .state_dir = -1,
		.changed = on_change, .ctx = v };
	int r;

	if ((r = open_file(v, path)) < 0 || (r = loop_new(&v->loop, &v->err)) < 0)
		return r;
	if (loop_timer(v->loop, TOTAL_MS, on_late, v) == 0)
		r = err_set(&v->err, ERR_MEM, "timer");
	else if ((r = children_open(&v->children, v->loop, &opts, &v->err)) == 0 && (r = find_and_judge(v)) == 0)
		conclude(v);
	children_close(v->children);
	loop_free(v->loop);
	return r;
}

static json_t *
sig_json(const struct judged_sig *s)
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

	for (uint32_t i = 0; i < v->judged.nsigs; i++)
		json_array_append_new(list, sig_json(&v->judged.sigs[i]));
	o = json_pack("{s:s, s:i, s:i, s:o}", "verdict", verdict_words[v->verdict], "pages", (int)v->sigs.pages, "warnings",
	    (int)v->sigs.warnings, "signatures", list);
	if (v->remark != NULL)
		json_object_set_new(o, "remark", json_string(v->remark));
	return o;
}

static void
sig_print(const struct judged_sig *s)
{
	char time[CLOCK_ISO_MAX];

	printf("  %s: %s", *s->field != '\0' ? s->field : "(no name)", verdict_words[s->verdict]);
	if (s->is_timestamp)
		printf(", document time stamp");
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
	for (uint32_t i = 0; i < v->judged.nsigs; i++)
		sig_print(&v->judged.sigs[i]);
	if (v->sigs.warnings > 0)
		printf("  - the file has structural faults: %u warnings of qpdf\n", v->sigs.warnings);
}

int
cmd_verify(struct cmd_args *a)
{
	struct verify v = { .file = -1, .list = -1, .verdict = VERDICT_UNKNOWN };
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
		status = v.document ? VERDICT_UNKNOWN : status;
	} else if (a->json) {
		status = cmd_json(report_json(&v));
		status = status == EX_OK ? (int)v.verdict : status;
	} else {
		report_print(&v, a->argv[1]);
		status = cmd_done((int)v.verdict);
	}
	io_close(&v.file);
	io_close(&v.list);
	conf_free(conf);
	return status;
}
