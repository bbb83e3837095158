/*
 * sealroom evidence export JOB · verify RECORD FILE... · renew
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/loop.h"
#include "agent/lib/path.h"
#include "seal/evidence/er.h"

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/cmd_record.h"
#include "agent/control.h"

#define JUDGE_MIB 256
#define JUDGE_MS 60000
#define RENEW_MS 3600000 /* each record that is due is judged before */

/* --- a judge ----------------------------------------------------------------------------- */

struct record_judge {
	struct loop *loop;
	struct children *children;
	struct conf none;
	struct ers_result *result; /* of the question under way */
	struct err err;
};

/* A program that can not start would be tried again and again: say what it says. */
static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct record_judge *j = ctx;

	(void)role;
	(void)name;
	if (ready || why == NULL || err_class(why->code) != ERR_CLASS_STOP)
		return;
	j->err = *why;
	loop_stop(j->loop);
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct record_judge *j = ctx;

	if (o->err != NULL)
		j->err = *o->err;
	else
		ers_result_get(o->result, j->result, &j->err);
	loop_stop(j->loop);
}

int
record_judge_open(struct record_judge **ret, const struct conf *conf, const char *roots, struct err *e)
{
	struct record_judge *j = calloc(1, sizeof(*j));
	struct children_opts opts = { .verify = true, .state_dir = -1, .changed = on_change, .ctx = j, .tsa_roots = roots };
	int r;

	if (j == NULL)
		return err_set(e, ERR_MEM, "evidence record");
	j->none.trust = roots;
	j->none.scan.signed_trust = "";
	opts.conf = conf != NULL ? conf : &j->none;
	if ((r = loop_new(&j->loop, e)) < 0 || (r = children_open(&j->children, j->loop, &opts, e)) < 0)
		record_judge_close(j);
	else
		*ret = j;
	return r;
}

int
record_judge_ask(struct record_judge *j, const struct buf *objects, const struct buf *record, struct ers_result *ret,
    struct err *e)
{
	const struct ers_params p = { .now_us = clock_wall_us() };
	AUTO_BUF in = { 0 }, params = { 0 };
	AUTO_FD fd = -1;
	struct task_req req = { .kind = TASK_RECORD, .params = &params, .out = -1, .as_mib = JUDGE_MIB, .cpu_s = 20,
		.deadline_ms = JUDGE_MS };
	int r;

	buf_init(&in, objects->len + record->len + 4);
	buf_init(&params, 256);
	buf_put_u32(&in, (uint32_t)(objects->len / HASH_LEN));
	buf_put(&in, objects->data, objects->len);
	buf_put(&in, record->data, record->len);
	ers_params_put(&params, &p);
	if (!buf_ok(&in) || !buf_ok(&params))
		return err_set(e, ERR_MEM, "evidence record");
	if ((fd = r = io_memfd("record", in.data, in.len, e)) < 0)
		return r;
	req.in = fd;
	j->result = ret;
	if (j->err.code == ERR_OK && children_task(j->children, &req, on_judged, j) == 0)
		err_set(&j->err, ERR_MEM, "evidence record");
	/* the program may have failed to start before the loop runs */
	if (j->err.code == ERR_OK)
		loop_run(j->loop, &j->err);
	if (j->err.code != ERR_OK)
		*e = j->err;
	return -(int)j->err.code;
}

void
record_judge_close(struct record_judge *j)
{
	if (j == NULL)
		return;
	children_close(j->children);
	loop_free(j->loop);
	free(j);
}

/* --- export -------------------------------------------------------------------------------- */

/* The record about a job, or with id NULL about the log itself at the last batch. */
int
cmd_record_export(struct elog *l, int archive, const char *id, uint64_t index, const char *out, struct err *e)
{
	struct er_chain c;
	AUTO_BUF b = { 0 };
	AUTO_FD fd = -1;
	int r = er_find(l, archive, index, &c, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_LATER, "no time stamp covers entry %llu of the log yet", (unsigned long long)index);
	buf_init(&b, ERS_RECORD_MAX);
	if ((r = er_compose(archive, &c, id == NULL ? HASHTREE_LOG : id, id == NULL ? c.checkpoint : index, NULL, &b, e)) < 0)
		return r;
	if (out != NULL && (fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
		return err_sys(e, ERR_IO, "%.120s", out);
	if (out != NULL)
		return io_write_full(fd, b.data, b.len, e);
	if (isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE, "it is no text: send it to a file");
	return io_write_full(STDOUT_FILENO, b.data, b.len, e);
}

/* --- verify -------------------------------------------------------------------------------- */

static int
hash_objects(char *const *files, int n, struct buf *objects, struct err *e)
{
	uint8_t hash[HASH_LEN];
	int r;

	for (int i = 0; i < n; i++) {
		AUTO_FD fd = open(files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			return err_sys(e, ERR_IO, "%.120s", files[i]);
		if ((r = hash_fd(fd, 0, UINT64_MAX, hash, e)) < 0)
			return r;
		buf_put(objects, hash, sizeof(hash));
	}
	return buf_ok(objects) ? 0 : err_set(e, ERR_USAGE, "more than %u files", ERS_OBJECTS_MAX);
}

static const char *const verdict_words[] = { "proven", "disproven", "cannot tell" };

static json_t *
result_json(const struct ers_result *res)
{
	json_t *stamps = json_array(), *reasons = json_array();
	char at[CLOCK_ISO_MAX], until[CLOCK_ISO_MAX];

	for (uint32_t i = 0; i < res->nstamps; i++) {
		clock_iso_us(res->stamps[i].gen_time_us, at);
		clock_iso(res->stamps[i].not_after_us, until);
		json_array_append_new(stamps, json_pack("{s:s, s:s, s:s}", "time", at, "until", until, "tsa", res->stamps[i].signer));
	}
	for (uint32_t i = 0; i < res->nreasons; i++)
		json_array_append_new(reasons, json_string(res->reasons[i]));
	return json_pack("{s:s, s:i, s:o, s:o}", "verdict", verdict_words[res->verdict], "others", (int)res->others, "stamps",
	    stamps, "reasons", reasons);
}

static void
result_print(const struct ers_result *res)
{
	char at[CLOCK_ISO_MAX], until[CLOCK_ISO_MAX];

	printf("%s", verdict_words[res->verdict]);
	if (res->verdict == VERDICT_PROVEN) {
		clock_iso(res->stamps[0].gen_time_us, at);
		printf(": these bytes were there at %s", at);
	}
	printf("\n");
	for (uint32_t i = 0; i < res->nstamps; i++) {
		clock_iso(res->stamps[i].gen_time_us, at);
		clock_iso(res->stamps[i].not_after_us, until);
		printf("  stamped %s by %s, whose certificate ends %s\n", at, res->stamps[i].signer, until);
	}
	if (res->others > 0)
		printf("  - it covers %u more objects, which were not given\n", res->others);
	for (uint32_t i = 0; i < res->nreasons; i++)
		printf("  - %s\n", res->reasons[i]);
}

int
cmd_record_verify(struct cmd_args *a, const char *roots)
{
	AUTO_FREE struct ers_result *res = calloc(1, sizeof(*res));
	AUTO_BUF objects = { 0 }, record = { 0 };
	struct record_judge *j = NULL;
	struct conf *conf = NULL;
	struct err e = { 0 };
	int r, status;

	if (a->argc < 4)
		return cmd_usage(a);
	if (roots == NULL && (status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	buf_init(&objects, (size_t)ERS_OBJECTS_MAX * HASH_LEN);
	buf_init(&record, ERS_RECORD_MAX);
	if (res == NULL)
		r = err_set(&e, ERR_MEM, "evidence record");
	else if ((r = io_read_file(AT_FDCWD, a->argv[2], &record, &e)) == 0 &&
	    (r = hash_objects(a->argv + 3, a->argc - 3, &objects, &e)) == 0 &&
	    (r = record_judge_open(&j, conf, roots, &e)) == 0)
		r = record_judge_ask(j, &objects, &record, res, &e);
	record_judge_close(j);
	conf_free(conf);
	if (r < 0)
		return cmd_fail(a, &e);
	if (a->json) {
		status = cmd_json(result_json(res));
		return status == EX_OK ? (int)res->verdict : status;
	}
	result_print(res);
	return cmd_done((int)res->verdict);
}

/* --- renew ----------------------------------------------------------------------------------- */

static void
renewed_print(const json_t *o)
{
	long long n = json_integer_value(json_object_get(o, "renewed")), refused = json_integer_value(json_object_get(o, "refused"));

	if (n == 0)
		printf("nothing is due\n");
	else
		printf("%lld records renewed with one time stamp, evidence/er/%lld\n", n,
		    (long long)json_integer_value(json_object_get(o, "record")));
	if (refused > 0)
		printf("%lld records can not be proven any more, and were not renewed: see the journal\n", refused);
}

int
cmd_record_renew(struct cmd_args *a)
{
	json_t *answer = NULL;
	struct conf *conf;
	struct err e = { 0 };
	int r, refused;

	if (a->argc != 2)
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0)
		return r;
	r = control_ask_fd(conf->control, json_pack("{s:s}", "op", "evidence-renew"), -1, RENEW_MS, &answer, &e);
	if (r < 0)
		r = cmd_fail_ask(a, &e);
	conf_free(conf);
	if (r != 0)
		return r;
	refused = (int)json_integer_value(json_object_get(answer, "refused"));
	if (a->json)
		return cmd_json(answer);
	renewed_print(answer);
	json_decref(answer);
	return cmd_done(refused > 0 ? EX_DATAERR : EX_OK);
}
