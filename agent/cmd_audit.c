#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/audit.h"

#include "agent/cmd.h"
#include "agent/cmd_record.h"

#define NOTE_FILE_MAX 65536

static const char *const verdicts[] = { [VERDICT_PROVEN] = "proven", [VERDICT_DISPROVEN] = "disproven",
	[VERDICT_UNKNOWN] = "cannot-tell" };

struct report {
	const struct cmd_args *a;
	json_t *findings, *breaks;
	const struct conf *conf; /* whose roots are believed; NULL: those of --trust alone */
	const char *roots;
	struct record_judge *judge; /* started when there is something to judge */
};

static int
on_judge(void *ctx, const struct buf *objects, const struct buf *record, struct ers_result *ret, struct err *e)
{
	struct report *r = ctx;

	if (r->judge == NULL && record_judge_open(&r->judge, r->conf, r->roots, e) < 0)
		return -(int)e->code;
	return record_judge_ask(r->judge, objects, record, ret, e);
}

static void
found(void *ctx, uint32_t verdict, const char *path, const char *sentence)
{
	struct report *r = ctx;

	if (!r->a->json)
		printf("%s: %s %s\n", verdict == VERDICT_PROVEN ? "break" : verdicts[verdict], path, sentence);
	else if (verdict == VERDICT_PROVEN)
		json_array_append_new(r->breaks, json_pack("{s:s, s:s}", "path", path, "text", sentence));
	else
		json_array_append_new(r->findings,
		    json_pack("{s:s, s:s, s:s}", "verdict", verdicts[verdict], "path", path, "text", sentence));
}

/* A small text file the auditor brought; *ret malloc'ed, NULL without one. */
static int
read_text(const char *path, char **ret, struct err *e)
{
	struct buf b;
	int r;

	if (path == NULL)
		return 0;
	buf_init(&b, NOTE_FILE_MAX);
	if ((r = io_read_file(AT_FDCWD, path, &b, e)) < 0) {
		buf_done(&b);
		return r;
	}
	if ((*ret = buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "reading a file");
	return 0;
}

static void
print_result(const struct audit_result *res, bool since)
{
	char bytes[32];

	if (res->bytes < 1000000)
		snprintf(bytes, sizeof(bytes), "%llu bytes", (unsigned long long)res->bytes);
	else
		snprintf(bytes, sizeof(bytes), "%.1f MB", (double)res->bytes / 1e6);
	printf("log %s: %llu entries, %llu checkpoints; %llu documents, %llu files (%s) read and hashed\n",
	    res->origin[0] != '\0' ? res->origin : "-", (unsigned long long)res->entries,
	    (unsigned long long)res->checkpoints, (unsigned long long)res->jobs, (unsigned long long)res->files, bytes);
	if (res->unpublished > 0)
		printf("%llu entries at the end are not under a signed checkpoint yet\n",
		    (unsigned long long)res->unpublished);
	if (res->breaks > 0)
		printf("%llu times the log went on after a restore (break): what was lost then, this archive can not prove\n",
		    (unsigned long long)res->breaks);
	if (res->voids > 0)
		printf("%llu documents were declared void; sealroom evidence list shows which, and why\n",
		    (unsigned long long)res->voids);
	if (res->stacks > 0)
		printf("%llu stacks were divided; the documents of each are what it lists\n", (unsigned long long)res->stacks);
	if (res->unended > 0)
		printf("%llu documents of stacks have no entry that ends them (the first is %s): they are held or at work, or were "
		       "lost with a spool\n", (unsigned long long)res->unended, res->unended_id);
	if (res->records > 0)
		printf("%llu evidence records with %llu renewals; the time stamps of %llu were judged\n",
		    (unsigned long long)res->records, (unsigned long long)res->renewals, (unsigned long long)res->judged);
	if (res->judged < res->records)
		printf("whether the time stamps are genuine, only roots that you trust can show: --trust\n");
	if (res->verdict == VERDICT_PROVEN && !since)
		printf("that nothing was cut off the end, only a checkpoint kept elsewhere can show: --since\n");
	printf("%s\n", res->verdict == VERDICT_PROVEN ? "proven" :
	        res->verdict == VERDICT_DISPROVEN    ? "DISPROVEN" :
	                                               "cannot tell");
}

static json_t *
result_json(const struct audit_result *res, const struct report *report)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "verdict", verdicts[res->verdict], "log",
	    res->origin, "entries", (json_int_t)res->entries, "unpublished", (json_int_t)res->unpublished, "checkpoints",
	    (json_int_t)res->checkpoints, "jobs", (json_int_t)res->jobs, "files", (json_int_t)res->files, "bytes",
	    (json_int_t)res->bytes, "voids", (json_int_t)res->voids, "stacks", (json_int_t)res->stacks, "unended", (json_int_t)res->unended, "records", (json_int_t)res->records, "renewals",
	    (json_int_t)res->renewals, "judged", (json_int_t)res->judged, "breaks", json_incref(report->breaks), "findings",
	    json_incref(report->findings));
}

/* The tree that was named, or that of the settings. Returns EX_OK or an exit status, the fault told. */
static int
open_archive(struct cmd_args *a, int *ret, struct conf **ret_conf)
{
	struct err e = { 0 };
	int status = a->argc == 2 ? EX_OK : cmd_conf(a, ret_conf);

	if (status != EX_OK)
		return status;
	if ((*ret = io_open_dir(AT_FDCWD, a->argc == 2 ? a->argv[1] : (*ret_conf)->archive.path, &e)) < 0)
		return cmd_fail(a, &e);
	return EX_OK;
}

static int
run(struct cmd_args *a, int dir, const struct audit_options *opt, struct report *report)
{
	struct audit_result res;
	struct err e = { 0 };
	int r;

	if (audit_run(dir, opt, found, report, &res, &e) < 0)
		return cmd_fail(a, &e);
	if (a->json) {
		r = cmd_json(result_json(&res, report));
		return r == EX_OK ? (int)res.verdict : r;
	}
	print_result(&res, opt->since != NULL);
	return cmd_done((int)res.verdict);
}

int
cmd_audit(struct cmd_args *a)
{
	const char *vkey_path = NULL, *since_path = NULL;
	AUTO_FREE char *vkey = NULL, *since = NULL;
	struct report report = { .a = a };
	struct audit_options opt = { 0 };
	struct conf *conf = NULL;
	struct err e = { 0 };
	AUTO_FD dir = -1;
	int status;

	if (cmd_option(a, "--vkey", &vkey_path) < 0 || cmd_option(a, "--since", &since_path) < 0 ||
	    cmd_option(a, "--trust", &report.roots) < 0 || a->argc > 2)
		return cmd_usage(a);
	report.findings = json_array();
	report.breaks = json_array();
	if ((status = open_archive(a, &dir, &conf)) == EX_OK) {
		if (read_text(vkey_path, &vkey, &e) < 0 || read_text(since_path, &since, &e) < 0) {
			status = cmd_fail(a, &e);
		} else {
			opt.vkey = vkey;
			opt.since = since;
			report.conf = conf;
			opt.judge = conf != NULL || report.roots != NULL ? on_judge : NULL;
			status = run(a, dir, &opt, &report);
		}
	}
	record_judge_close(report.judge);
	conf_free(conf);
	json_decref(report.findings);
	json_decref(report.breaks);
	return status;
}
