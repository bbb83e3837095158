#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/earlier.h"
#include "agent/jsonput.h"
#include "agent/sealing.h"
#include "agent/spool.h"

#define RECORD "earlier"
#define RECORD_MAX (128u * 1024)
#define DOCUMENT_MIB 1024

/* --- the record -------------------------------------------------------------------------- */

static void
record_write(struct buf *b, const struct earlier *x)
{
	buf_put_u64(b, (uint64_t)x->judged_us);
	buf_put_u64(b, x->file_len);
	buf_put_u32(b, x->list.n);
	for (uint32_t i = 0; i < x->list.n; i++) {
		for (int k = 0; k < 4; k++)
			buf_put_u64(b, x->list.v[i].range[k]);
		buf_put(b, x->list.v[i].cms, HASH_LEN);
		buf_put_u32(b, x->list.v[i].timestamp);
		buf_put(b, x->hash[i], HASH_LEN);
	}
	judge_result_put(b, &x->judged);
}

static int
record_read(struct buf *b, struct earlier *x, struct err *e)
{
	x->judged_us = (int64_t)buf_get_u64(b);
	x->file_len = buf_get_u64(b);
	x->list.n = buf_get_u32(b);
	for (uint32_t i = 0; i < x->list.n && i < JUDGED_MAX; i++) {
		for (int k = 0; k < 4; k++)
			x->list.v[i].range[k] = buf_get_u64(b);
		buf_get(b, x->list.v[i].cms, HASH_LEN);
		x->list.v[i].timestamp = buf_get_u32(b) != 0;
		buf_get(b, x->hash[i], HASH_LEN);
	}
	if (x->list.n > JUDGED_MAX || judge_result_get(b, &x->judged, e) < 0 || x->judged.nsigs != x->list.n)
		return err_set(e, ERR_IO, "record " RECORD " is damaged");
	return 0;
}

int
earlier_get(struct job *j, const struct earlier **ret, struct err *e)
{
	struct earlier *x;
	AUTO_BUF b = { 0 };
	int r;

	*ret = j->earlier_sigs;
	if (j->earlier_sigs != NULL)
		return 0;
	if ((r = inspect_load(j, e)) < 0 || j->inspect.sigs == 0)
		return r;
	buf_init(&b, RECORD_MAX);
	if ((r = record_get(j->dir, RECORD, &b, e)) < 0)
		return r;
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return err_set(e, ERR_MEM, "signatures");
	if ((r = record_read(&b, x, e)) < 0) {
		free(x);
		return r;
	}
	*ret = j->earlier_sigs = x;
	return 0;
}

int
earlier_wanted(const struct job *j, struct err *e)
{
	int r = j->inspect.sigs == 0 ? 1 : io_there(j->dir, RECORD, e);

	return r < 0 ? r : r == 0;
}

/* --- judged when it comes -------------------------------------------------------------------- */

static void
fail(struct job *j, const struct err *e)
{
	sealing_forget(j);
	io_close(&j->side);
	job_trouble(j, e);
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct earlier *x = j->sealwork->earlier;
	struct err e = { 0 };
	AUTO_BUF b = { 0 };
	int r;

	io_close(&j->side);
	if (o->err != NULL)
		sealing_forget(j);
	if (!job_task_ok(j, o))
		return;
	buf_init(&b, RECORD_MAX);
	r = judge_result_get(o->result, &x->judged, &e);
	if (r != -ERR_MEM && (r < 0 || x->judged.nsigs != x->list.n)) {
		job_lied(&e, "judging its signatures");
	} else if (r == 0) {
		record_write(&b, x);
		record_put_buf(j->dir, RECORD, &b, &e);
	}
	if (e.code != ERR_OK) {
		fail(j, &e);
		return;
	}
	j->earlier_sigs = x;
	j->sealwork->earlier = NULL;
	sealing_forget(j);
	job_step(j);
}

static int
judge_ask(struct job *j, struct err *e)
{
	struct sealwork *w = j->sealwork;
	int r = sealwork_judge(j, on_judged, e);

	w->earlier->judged_us = w->judge->now_us;
	memcpy(w->earlier->hash, w->judge->range_hash, sizeof(w->earlier->hash));
	return r;
}

static void
on_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->steps = NULL;
	if (why != NULL)
		e = *why;
	else
		judge_ask(j, &e);
	if (e.code != ERR_OK)
		fail(j, &e);
}

static int
hash_start(struct job *j, uint32_t n, struct err *e)
{
	struct sealwork *w = sealwork_new(j, e);
	int r;

	if (w == NULL)
		return -(int)e->code;
	if ((w->judge = calloc(1, sizeof(*w->judge))) == NULL || (w->earlier = calloc(1, sizeof(*w->earlier))) == NULL)
		return err_set(e, ERR_MEM, "signatures");
	if ((w->doc = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_sys(e, ERR_IO, "source of job %s", j->claim.id);
	w->earlier->file_len = w->judge->file_len = j->claim.size;
	w->judge->nsigs = n;
	if ((r = siglist_read(&w->earlier->list, j->side, n, w->judge->file_len, e)) < 0)
		return r;
	memset(w->judge->earlier, 1, n);
	siglist_hash(&w->earlier->list, j->steps, w->doc, w->judge);
	j->busy = true;
	steps_go(j->steps, on_hashed);
	return 0;
}

static void
on_listed(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	struct sigs_result s;

	if (!job_task_ok(j, o))
		return;
	if (sigs_result_get(o->result, &s, &e) < 0 || s.nsigs != j->inspect.sigs || s.warnings != 0)
		job_lied(&e, "the list of its signatures");
	else
		hash_start(j, s.nsigs, &e);
	if (e.code != ERR_OK)
		fail(j, &e);
}

int
earlier_start(struct job *j, struct err *e)
{
	struct job_task t = { .kind = TASK_SIGS, .out = &j->side, .as_mib = DOCUMENT_MIB, .cpu_s = 60, .deadline_ms = 90000 };
	AUTO_FD source = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (source < 0)
		return err_sys(e, ERR_IO, "source of job %s", j->claim.id);
	t.in = source;
	return job_task(j, &t, on_listed, e);
}

/* --- what becomes of it --------------------------------------------------------------------------- */

int
earlier_forbids(const struct inspect_result *i, struct err *e)
{
	return i->allowed == SEAL_FORBIDDEN ? err_set(e, ERR_DOC_LOCKED, "%s", i->forbids) : 0;
}

int
earlier_wants_person(const struct conf_scan *scan, const struct judge_result *judged, struct err *e)
{
	bool whole = false;

	if (scan->came_signed == SIGNED_HOLD)
		return err_set(e, ERR_DOC_SIGNED, "scan.signed is \"hold\"");
	if (scan->signed_broken == SIGNED_SEAL)
		return 0;
	for (uint32_t i = 0; i < judged->nsigs; i++) {
		const struct judged_sig *s = &judged->sigs[i];

		if (s->verdict == VERDICT_DISPROVEN)
			return err_set(e, ERR_DOC_SIG_BROKEN, "signature \"%.40s\": %s", s->field,
			    s->nreasons > 0 ? s->reasons[s->nreasons - 1] : "no reason");
		whole = whole || s->covers_file;
	}
	return whole ? 0 : err_set(e, ERR_DOC_CHANGED, "no signature covers the end of the file");
}

int
earlier_admit(struct job *j, struct err *e)
{
	const struct earlier *x;
	struct decision d;
	int r;

	if ((r = earlier_get(j, &x, e)) < 0 || x == NULL)
		return r;
	if ((r = decision_get(j, &d, e)) < 0)
		return r;
	if (r == 1 && !d.again)
		return 0;
	return earlier_wants_person(&j->core->conf->scan, &x->judged, e);
}

void
earlier_tell(const struct inspect_result *i, const struct judge_result *judged, struct compose_params *p)
{
	p->sigs = i->sigs;
	p->allowed = i->allowed;
	for (uint32_t k = 0; k < judged->nsigs && p->nsigners < EARLIER_MAX; k++)
		if (judged->sigs[k].verdict == VERDICT_PROVEN && !judged->sigs[k].is_timestamp)
			snprintf(p->signers[p->nsigners++], sizeof(p->signers[0]), "%s", judged->sigs[k].signer);
}

int
earlier_params(struct job *j, struct compose_params *p, struct err *e)
{
	const struct earlier *x;
	int r = earlier_get(j, &x, e);

	if (r < 0 || x == NULL)
		return r;
	earlier_tell(&j->inspect, &x->judged, p);
	return 0;
}

/* --- under our seal ---------------------------------------------------------------------------------- */

int
earlier_find(struct job *j, const struct siglist *list, uint32_t ours, uint32_t stamp, struct judge_params *p, struct err *e)
{
	const struct earlier *x;
	uint32_t n = 0;
	int r = earlier_get(j, &x, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < list->n; i++) {
		if (i == ours || i == stamp)
			continue;
		if (x == NULL || n == x->list.n || memcmp(&x->list.v[n], &list->v[i], sizeof(list->v[i])) != 0)
			return err_set(e, ERR_SIG, "our own check finds a signature that was not there, or another one");
		p->earlier[i] = 1;
		n++;
	}
	if (x == NULL)
		return 0;
	p->earlier_us = x->judged_us;
	return n == x->list.n ? 0 : err_set(e, ERR_SIG, "our own check misses a signature that was there");
}

/*
 * What our seal could have done to it: broken it, or put another in its place.  Whom
 * the settings trust, and since when, is not its doing, and may have changed since.
 */
static bool
stands(const struct judged_sig *then, const struct judged_sig *now)
{
	return (then->verdict == VERDICT_DISPROVEN) == (now->verdict == VERDICT_DISPROVEN) && strcmp(then->signer, now->signer) == 0 &&
	    memcmp(then->cert_hash, now->cert_hash, HASH_LEN) == 0;
}

int
earlier_stand(struct job *j, const struct judge_params *p, const struct judge_result *judged, struct err *e)
{
	const struct earlier *x;
	uint32_t n = 0;
	int r = earlier_get(j, &x, e);

	if (r < 0 || x == NULL)
		return r;
	for (uint32_t i = 0; i < judged->nsigs; i++) {
		if (!p->earlier[i])
			continue;
		if (memcmp(x->hash[n], p->range_hash[i], HASH_LEN) != 0 || !stands(&x->judged.sigs[n], &judged->sigs[i]))
			return err_set(e, ERR_SIG, "our own check judges the signature \"%.40s\" in another way than when it came",
			    x->judged.sigs[n].field);
		n++;
	}
	return 0;
}

/* --- told ------------------------------------------------------------------------------------------- */

const char *
earlier_word(const struct judged_sig *s)
{
	return s->verdict == VERDICT_PROVEN ? "valid" : s->verdict == VERDICT_DISPROVEN ? "broken" : s->expired ? "expired" : "unknown";
}

static void
put_time(json_t **o, const char *key, int64_t us)
{
	char t[CLOCK_ISO_MAX];

	if (us == 0)
		return;
	clock_iso_us(us, t);
	json_put(o, key, json_string(t));
}

json_t *
earlier_sig_json(const struct judged_sig *s)
{
	char hex[HASH_HEX];
	json_t *reasons = json_array(), *o = json_pack("{s:s, s:s, s:s, s:b, s:b}", "field", s->field, "verdict", earlier_word(s),
	    "subject", s->signer, "document_time_stamp", (int)s->is_timestamp, "covers_document", (int)s->covers_file);

	for (uint32_t i = 0; i < s->nreasons; i++)
		json_add(&reasons, json_string(s->reasons[i]));
	put_time(&o, "time_claimed", s->claimed_us);
	put_time(&o, "time_stamp", s->gen_time_us);
	if (s->gen_time_us != 0 && !s->is_timestamp)
		json_put(&o, "time_stamp_signer", json_string(s->tsa_signer));
	hash_hex(s->cert_hash, hex);
	if (s->signer[0] != '\0')
		json_put(&o, "certificate_sha256", json_string(hex));
	json_put(&o, "reasons", reasons);
	return o;
}

json_t *
earlier_json(struct job *j, struct err *e)
{
	const struct earlier *x;
	json_t *list, *o;

	if (earlier_get(j, &x, e) < 0 || x == NULL)
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < x->judged.nsigs; i++)
		json_add(&list, earlier_sig_json(&x->judged.sigs[i]));
	o = json_object();
	put_time(&o, "judged", x->judged_us);
	json_put(&o, "list", list);
	if (o == NULL)
		err_set(e, ERR_MEM, "signatures");
	return o;
}
