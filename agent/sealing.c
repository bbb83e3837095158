#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/rules.h"

#include "agent/outcome.h"
#include "agent/sealing.h"

#define DOCUMENT_MIB 1024
#define TOKEN_UNSEEN (8 * 1024) /* room for a time-stamp token before any was seen from this TSA */
#define HOLE_SPARE 1024
#define TOKEN_POLL_MS 250
#define CMS_RECORD_MAX (256 * 1024)

/* --- records --------------------------------------------------------------------------- */

static int
prep_put(struct job *j, const struct prep *p, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 4096);
	for (int i = 0; i < 4; i++)
		buf_put_u64(&b, p->range[i]);
	buf_put_u32(&b, p->hole);
	buf_put_u64(&b, (uint64_t)p->time_us);
	buf_put_str(&b, p->token);
	buf_put_str(&b, p->org);
	buf_put(&b, p->cert_hash, HASH_LEN);
	buf_put(&b, p->digest, HASH_LEN);
	buf_put_u64(&b, p->log_size);
	return record_put(j->dir, "prep", b.data, b.len, e);
}

int
prep_get(struct job *j, struct prep *ret, struct err *e)
{
	struct prep p;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, 4096);
	if ((r = record_get(j->dir, "prep", &b, e)) < 0)
		return r;
	for (int i = 0; i < 4; i++)
		p.range[i] = buf_get_u64(&b);
	p.hole = buf_get_u32(&b);
	p.time_us = (int64_t)buf_get_u64(&b);
	buf_get_str(&b, p.token, sizeof(p.token));
	buf_get_str(&b, p.org, sizeof(p.org));
	buf_get(&b, p.cert_hash, HASH_LEN);
	buf_get(&b, p.digest, HASH_LEN);
	p.log_size = buf_get_u64(&b);
	if (!buf_finished(&b))
		return err_set(e, ERR_IO, "record prep is damaged");
	*ret = p;
	return 0;
}

static int
sig_put(struct job *j, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN], struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CMS_RECORD_MAX);
	buf_put(&b, imprint, HASH_LEN);
	buf_put_blob(&b, cms, len);
	return record_put(j->dir, "sig", b.data, b.len, e);
}

/* The signature as the token gave it; *ret_cms points into b. */
static int
sig_get(struct job *j, struct buf *b, uint8_t imprint[HASH_LEN], const uint8_t **ret_cms, size_t *ret_len,
    struct err *e)
{
	int r;

	buf_init(b, CMS_RECORD_MAX);
	if ((r = record_get(j->dir, "sig", b, e)) < 0)
		return r;
	buf_get(b, imprint, HASH_LEN);
	*ret_cms = buf_get_blob(b, ret_len);
	return buf_finished(b) ? 0 : err_set(e, ERR_IO, "record sig is damaged");
}

static int
tst_put(struct job *j, const struct attach_result *a, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CMS_RECORD_MAX);
	buf_put_u64(&b, (uint64_t)a->gen_time_us);
	buf_put(&b, a->token_hash, HASH_LEN);
	buf_put_blob(&b, a->cms, a->cms_len);
	return record_put(j->dir, "tst", b.data, b.len, e);
}

int
tst_get(struct job *j, struct tst *ret, struct err *e)
{
	const uint8_t *cms;
	AUTO_BUF b;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!io_exists(j->dir, "tst"))
		return 0;
	buf_init(&b, CMS_RECORD_MAX);
	if ((r = record_get(j->dir, "tst", &b, e)) < 0)
		return r;
	ret->gen_time_us = (int64_t)buf_get_u64(&b);
	buf_get(&b, ret->token_hash, HASH_LEN);
	cms = buf_get_blob(&b, &ret->cms_len);
	if (!buf_finished(&b))
		return err_set(e, ERR_IO, "record tst is damaged");
	if ((ret->cms = malloc(ret->cms_len)) == NULL)
		return err_set(e, ERR_MEM, "time stamp");
	memcpy(ret->cms, cms, ret->cms_len);
	return 1;
}

void
tst_done(struct tst *t)
{
	free(t->cms);
	memset(t, 0, sizeof(*t));
}

/* Largest token seen from this TSA, so that the next hole fits. */
static uint32_t
token_seen(struct core *c, const char *tsa)
{
	struct err e;
	AUTO_BUF b;
	unsigned long n;

	buf_init(&b, 32);
	if (io_read_file(c->spool.tsa, tsa, &b, &e) < 0)
		return TOKEN_UNSEEN;
	buf_put_u8(&b, 0);
	n = buf_ok(&b) ? strtoul((const char *)b.data, NULL, 10) : 0;
	return n > 0 && n < SIGS_CMS_MAX / 2 ? (uint32_t)n : TOKEN_UNSEEN;
}

static int
token_note(struct core *c, const char *tsa, uint32_t len, struct err *e)
{
	char text[16];

	if (io_exists(c->spool.tsa, tsa) && token_seen(c, tsa) >= len)
		return 0;
	return io_replace(c->spool.tsa, tsa, text, (size_t)snprintf(text, sizeof(text), "%u\n", len), 0600, e);
}

/* --- attempts -------------------------------------------------------------------------- */

static int
attempt_load(struct job *j, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 16);
	j->attempt = 0;
	if (!io_exists(j->dir, "attempt"))
		return 0;
	if ((r = record_get(j->dir, "attempt", &b, e)) < 0)
		return r;
	j->attempt = buf_get_u32(&b);
	return buf_finished(&b) ? 0 : err_set(e, ERR_IO, "record attempt is damaged");
}

static int
attempt_put(struct job *j, uint32_t n, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 16);
	buf_put_u32(&b, n);
	if ((r = io_replace(j->dir, "attempt", b.data, b.len, 0600, e)) == 0)
		j->attempt = n;
	return r;
}

/*
 * The token was asked and its answer is lost: its counter is one ahead of ours.
 * Recorded once (a search first), before it is asked again.
 */
static int
orphan_note(struct job *j, struct err *e)
{
	struct elog *l = j->core->elog;
	struct entry x = { .type = ENTRY_ORPHAN };
	struct prep p;
	char line[32];
	uint64_t at;
	int r;

	snprintf(line, sizeof(line), "attempt %u", j->attempt);
	if ((r = elog_find(l, ENTRY_ORPHAN, j->claim.id, line, j->claim.log_size, &at, e)) != 0)
		return r < 0 ? r : 0;
	if ((r = prep_get(j, &p, e)) < 0)
		return r;
	logbook_job(j->core, j, &x);
	x.attempts = j->attempt;
	memcpy(x.token, p.token, sizeof(x.token));
	memcpy(x.seal_cert, p.cert_hash, HASH_LEN);
	if ((r = logbook_append(j->core, &x, &at, e)) < 0)
		return r;
	return elog_commit(l, e);
}

/* --- field ----------------------------------------------------------------------------- */

struct line_ctx {
	struct job *job;
	const char *org;
	char text[MSG_TEXT_MAX];
};

/* The format is the admin's, from the settings, where it was tried once. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const char *
local_time(int64_t us, const char *format, char *dst, size_t size)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(dst, size, format == NULL || *format == '\0' ? "%Y-%m-%d %H:%M" : format, &tm) == 0)
		dst[0] = '\0';
	return dst;
}
#pragma GCC diagnostic pop

/* {org} {time:...} {received:...} {id} {rule} {folder} {find.NAME} of a stamp's line. */
static const char *
line_value(void *ctx, const char *variable, const char *format)
{
	struct line_ctx *l = ctx;
	const struct job *j = l->job;

	if (strcmp(variable, "org") == 0)
		return l->org;
	if (strcmp(variable, "id") == 0)
		return j->claim.id;
	if (strcmp(variable, "rule") == 0)
		return j->plan->rule;
	if (strcmp(variable, "folder") == 0)
		return j->claim.folder;
	if (strcmp(variable, "time") == 0)
		return local_time(j->seal_time_us, format, l->text, sizeof(l->text));
	if (strcmp(variable, "received") == 0)
		return local_time(j->claim.received_us, format, l->text, sizeof(l->text));
	if (strncmp(variable, "find.", 5) == 0)
		for (uint32_t i = 0; i < j->plan->nvalues; i++)
			if (strcmp(j->plan->values[i].key, variable + 5) == 0)
				return j->plan->values[i].value;
	return NULL;
}

static int
field_lines(struct job *j, const struct conf_seal *seal, const char *org, struct field_params *p, struct err *e)
{
	struct line_ctx ctx = { .job = j, .org = org };
	int r;

	for (size_t i = 0; i < seal->look.lines.n && p->nlines < MSG_LINES_MAX; i++)
		if ((r = name_expand(seal->look.lines.v[i], line_value, &ctx, p->lines[p->nlines++], MSG_TEXT_MAX,
		         e)) < 0)
			return r;
	return 0;
}

static int
field_params_make(struct job *j, const struct conf_seal *seal, struct field_params *p, struct err *e)
{
	const struct ready_seal *facts = children_token_facts(j->token);
	uint32_t hole = facts->cms_max + HOLE_SPARE;

	memset(p, 0, sizeof(*p));
	if (seal->level >= LEVEL_B_T)
		hole += token_seen(j->core, seal->tsa->name);
	j->hole = p->hole = (hole + 1023) / 1024 * 1024;
	j->seal_time_us = p->time_us = clock_wall_us();
	memcpy(p->id, j->claim.id, ID_MAX);
	p->place = j->plan->place;
	p->place_page = j->plan->place_page;
	p->place_box = j->plan->place_box;
	p->border = seal->look.border;
	snprintf(p->signer, sizeof(p->signer), "%s", facts->org[0] != '\0' ? facts->org : facts->subject);
	snprintf(p->reason, sizeof(p->reason), "%s", seal->reason);
	snprintf(p->location, sizeof(p->location), "%s", seal->location);
	snprintf(p->checkpoint, sizeof(p->checkpoint), "%s", elog_head(j->core->elog));
	return field_lines(j, seal, facts->org, p, e);
}

/* ByteRange is the whole file less the hole, the hole is "<000...0>" (ISO 32000-1, 12.8.1). */
static int
check_range(int fd, const uint64_t range[4], uint64_t doc_len, uint64_t size, uint32_t hole, struct err *e)
{
	uint64_t gap = 2 * (uint64_t)hole + 2;
	char block[8192];
	int r;

	if (range[0] != 0 || range[1] < doc_len || range[1] > size || range[2] < range[1] ||
	    range[2] - range[1] != gap || range[2] > size || range[3] != size - range[2])
		return err_set(e, ERR_DOC_CRASH, "ByteRange is not the file less the hole");
	for (uint64_t at = range[1]; at < range[2];) {
		size_t n = range[2] - at < sizeof(block) ? (size_t)(range[2] - at) : sizeof(block);

		if ((r = io_pread_full(fd, block, n, at, e)) < 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			char want = at + i == range[1] ? '<' : at + i == range[2] - 1 ? '>' : '0';

			if (block[i] != want)
				return err_set(e, ERR_DOC_CRASH, "the hole for the signature is not empty");
		}
		at += n;
	}
	return 0;
}

static int
hash_ranges(int fd, const uint64_t range[4], uint8_t out[HASH_LEN], struct err *e)
{
	static uint8_t block[256 * 1024];
	struct hash *h = hash_open();

	for (int half = 0; half < 4; half += 2)
		for (uint64_t done = 0; done < range[half + 1];) {
			uint64_t left = range[half + 1] - done;
			size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

			if (io_pread_full(fd, block, n, range[half] + done, e) < 0) {
				hash_free(h);
				return -(int)e->code;
			}
			hash_add(h, block, n);
			done += n;
		}
	hash_final(h, out);
	return 0;
}

static void on_signed(void *ctx, const struct err *, const uint8_t *, size_t, const uint8_t[HASH_LEN]);

/* prepared.pdf = doc.pdf + update, checked, hashed, put; then the token is asked. */
static int
prepare(struct job *j, const struct field_result *f, struct err *e)
{
	const struct ready_seal *facts = children_token_facts(j->token);
	struct prep p;
	uint64_t doc_size, update_size;
	AUTO_FD doc = openat(j->dir, "doc.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FD out = -1;
	int r;

	if (doc < 0)
		return err_sys(e, ERR_IO, "doc.pdf");
	if ((r = io_size(doc, &doc_size, e)) < 0 || (r = io_size(j->out, &update_size, e)) < 0)
		return r;
	if (f->doc_len != doc_size || f->update_len != update_size)
		return err_set(e, ERR_DOC_CRASH, "the update has another length than said");
	if ((out = io_tmpfile(j->dir, e)) < 0)
		return out;
	if ((r = io_copy(doc, 0, doc_size, out, NULL, e)) < 0 ||
	    (r = io_copy(j->out, 0, update_size, out, NULL, e)) < 0 ||
	    (r = check_range(out, f->range, doc_size, doc_size + update_size, j->hole, e)) < 0)
		return r;
	memset(&p, 0, sizeof(p));
	memcpy(p.range, f->range, sizeof(p.range));
	p.hole = j->hole;
	p.time_us = j->seal_time_us;
	snprintf(p.token, sizeof(p.token), "%s", children_token_name(j->token));
	snprintf(p.org, sizeof(p.org), "%s", facts->org);
	memcpy(p.cert_hash, facts->cert_hash, HASH_LEN);
	p.log_size = elog_published(j->core->elog);
	if ((r = hash_ranges(out, p.range, p.digest, e)) < 0)
		return r;
	/* an earlier attempt's files were never signed with success: they go */
	if ((r = io_unlink(j->dir, "prepared.pdf", e)) < 0 || (r = io_unlink(j->dir, "prep", e)) < 0 ||
	    (r = io_put_fd(j->dir, "prepared.pdf", out, e)) < 0 || (r = prep_put(j, &p, e)) < 0 ||
	    (r = attempt_put(j, j->attempt + 1, e)) < 0)
		return r;
	j->busy = true;
	children_sign(j->token, j->claim.id, j->attempt, p.digest, on_signed, j);
	return 0;
}

static void
give_up_token(struct job *j)
{
	if (j->token != NULL)
		children_unreserve(j->token);
	j->token = NULL;
}

static void
on_field(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	struct field_result f;

	if (!job_task_ok(j, o)) {
		give_up_token(j);
		return;
	}
	if (field_result_get(o->result, &f, &e) < 0 || prepare(j, &f, &e) < 0) {
		give_up_token(j);
		job_trouble(j, &e);
	}
	io_close(&j->out);
}

static void
on_signed(void *ctx, const struct err *why, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN])
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->token = NULL; /* the answer ended the reservation */
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	if (2 * len > 2 * (uint64_t)j->hole) {
		err_set(&e, ERR_SIG, "the signature is larger than its hole");
		job_trouble(j, &e);
		return;
	}
	if (sig_put(j, cms, len, imprint, &e) < 0 || job_move(j, SPOOL_SIGNED, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	job_step(j);
}

static const struct conf_seal *
seal_of(struct job *j, struct err *e)
{
	const struct conf_seal *s;

	if (plan_load(j, e) < 0)
		return NULL;
	if ((s = conf_seal(j->core->conf, j->plan->seal)) == NULL)
		err_set(e, ERR_CONF, "seal %s is not in the settings any more", j->plan->seal);
	return s;
}

static int
field_start(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct job_task t = { .kind = TASK_FIELD, .out = &j->out, .as_mib = DOCUMENT_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };
	struct field_params p;
	AUTO_FD doc = openat(j->dir, "doc.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (doc < 0)
		return err_sys(e, ERR_IO, "doc.pdf");
	if ((r = field_params_make(j, seal, &p, e)) < 0)
		return r;
	field_params_put(&b, &p);
	t.params = &b;
	t.in = doc;
	return job_task(j, &t, on_field, e);
}

void
sealing_step_rendered(struct job *j)
{
	struct err e = { 0 };
	const struct conf_seal *seal;
	int r;

	if (io_exists(j->dir, "sig")) {
		if (job_move(j, SPOOL_SIGNED, &e) < 0)
			job_trouble(j, &e);
		else
			job_step(j);
		return;
	}
	if ((seal = seal_of(j, &e)) == NULL) {
		job_trouble(j, &e);
		return;
	}
	if ((j->token = children_reserve(j->core->children, seal)) == NULL) {
		err_set(&j->why, ERR_TOKEN_GONE, "no token of seal %s is ready and free", seal->name);
		job_step_soon(j, TOKEN_POLL_MS);
		return;
	}
	memset(&j->why, 0, sizeof(j->why));
	r = attempt_load(j, &e);
	if (r == 0 && j->attempt > 0)
		r = orphan_note(j, &e);
	if (r == 0)
		r = field_start(j, seal, &e);
	if (r < 0) {
		give_up_token(j);
		job_trouble(j, &e);
	}
}

/* --- time stamp ------------------------------------------------------------------------ */

static int
answer_read(struct job *j, uint64_t len, struct err *e)
{
	uint64_t size;
	int r;

	if ((r = io_size(j->out, &size, e)) < 0)
		return r;
	if (size != len || size == 0 || size > SIGS_CMS_MAX)
		return err_set(e, ERR_TSA_ANSWER, "the time-stamp answer has a wrong length");
	return 0;
}

static void
on_attached(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct attach_result a;

	io_close(&j->side);
	if (!job_task_ok(j, o))
		return;
	if ((seal = seal_of(j, &e)) == NULL || attach_result_get(o->result, &a, &e) < 0 ||
	    tst_put(j, &a, &e) < 0 || token_note(j->core, seal->tsa->name, a.token_len, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	job_step(j);
}

static int
attach_start(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct job_task t = { .kind = TASK_ATTACH, .in = -1, .as_mib = 256, .cpu_s = 10, .deadline_ms = 20000 };
	struct attach_params p;
	int64_t now = clock_wall_us(), skew = (int64_t)seal->tsa->skew_ms * 1000;
	AUTO_BUF sig;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, WIRE_PAYLOAD);
	if ((r = sig_get(j, &sig, p.imprint, &p.cms, &p.cms_len, e)) < 0)
		return r;
	snprintf(p.tsa, sizeof(p.tsa), "%s", seal->tsa->name);
	snprintf(p.policy, sizeof(p.policy), "%s", seal->tsa->policy);
	p.nonce = j->nonce;
	p.window_from_us = j->stamp_sent_us - skew;
	p.window_to_us = now + skew;
	attach_params_put(&b, &p);
	j->side = take_fd(&j->out);
	t.in = j->side;
	t.params = &b;
	return job_task(j, &t, on_attached, e);
}

static void
on_stamped(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct stamp_result s;

	if (!job_task_ok(j, o))
		return;
	if ((seal = seal_of(j, &e)) == NULL || stamp_result_get(o->result, &s, &e) < 0 ||
	    answer_read(j, s.len, &e) < 0 || attach_start(j, seal, &e) < 0)
		job_trouble(j, &e);
}

/* A TSA that stays away is said out loud once; the job waits, nothing is sealed below its level. */
static void
stamp_patience(struct job *j)
{
	uint64_t now = clock_ms();

	if (j->stamp_since_ms == 0)
		j->stamp_since_ms = now;
	if (!j->stamp_alarmed && now - j->stamp_since_ms > j->core->conf->tsa_max_wait_ms) {
		j->stamp_alarmed = true;
		log_line(LOG_ALERT, "job %s has waited for its time stamp for %llu min: %s", j->claim.id,
		    (unsigned long long)(now - j->stamp_since_ms) / 60000, j->why.text);
	}
}

static int
stamp_start(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct job_task t = { .kind = TASK_STAMP, .in = -1, .out = &j->out, .as_mib = 512, .cpu_s = 20 };
	struct stamp_params p;
	const uint8_t *cms;
	size_t len;
	AUTO_BUF sig;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, 4096);
	stamp_patience(j);
	if ((r = sig_get(j, &sig, p.imprint, &cms, &len, e)) < 0)
		return r;
	/* 63 bits and never 0, so that the nonce is a positive INTEGER of at most 8 bytes */
	if (getrandom(&j->nonce, sizeof(j->nonce), 0) != sizeof(j->nonce))
		return err_sys(e, ERR_IO, "random nonce");
	j->nonce = (j->nonce >> 1) | 1ULL << 62;
	snprintf(p.tsa, sizeof(p.tsa), "%s", seal->tsa->name);
	p.nonce = j->nonce;
	stamp_params_put(&b, &p);
	j->stamp_sent_us = clock_wall_us();
	t.params = &b;
	t.deadline_ms = (uint32_t)(seal->tsa->timeout_ms * seal->tsa->url.n + 5000);
	return job_task(j, &t, on_stamped, e);
}

/* --- fill the hole, judge -------------------------------------------------------------- */

/* sealed = prepared.pdf with the CMS in its hole. */
static int
fill(struct job *j, const struct prep *p, const uint8_t *cms, size_t len, struct err *e)
{
	uint64_t size;
	AUTO_FD prepared = openat(j->dir, "prepared.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FREE char *hex = malloc(2 * len + 1);
	int r;

	if (prepared < 0)
		return err_sys(e, ERR_IO, "prepared.pdf");
	if (hex == NULL)
		return err_set(e, ERR_MEM, "signature");
	io_close(&j->out);
	if ((j->out = io_tmpfile(j->dir, e)) < 0)
		return j->out;
	hex_encode(cms, len, hex);
	if ((r = io_size(prepared, &size, e)) < 0 || (r = io_copy(prepared, 0, size, j->out, NULL, e)) < 0)
		return r;
	return io_pwrite_full(j->out, hex, 2 * len, p->range[1] + 1, e);
}

static int
sealed_done(struct job *j, struct err *e)
{
	const struct judged_sig *s = &j->judged->sigs[0];
	struct verdict_record v = { .level = s->level, .gen_time_us = s->gen_time_us, .sealed_us = clock_wall_us() };
	AUTO_FREE char *text = NULL;
	int r;

	memcpy(v.tst, s->token_hash, HASH_LEN);
	if (j->sigs.pdfa_part != 0)
		snprintf(v.pdfa, sizeof(v.pdfa), "%u%c", j->sigs.pdfa_part % 10, j->sigs.pdfa_conformance | 0x20);
	if ((r = jobjson_build(j, &text, e)) < 0)
		return r;
	if ((r = verdict_put(j, &v, e)) < 0 || (r = io_unlink(j->dir, "sealed.pdf", e)) < 0 || (r = io_unlink(j->dir, "job.json", e)) < 0 ||
	    (r = io_put_fd(j->dir, "sealed.pdf", j->out, e)) < 0 ||
	    (r = record_put(j->dir, "job.json", text, strlen(text), e)) < 0)
		return r;
	io_close(&j->out);
	return job_move(j, SPOOL_SEALED, e);
}

/* The verdict must be about exactly this seal, at the level its settings name. */
static int
check_verdict(struct job *j, const struct conf_seal *seal, const struct prep *p, struct err *e)
{
	const struct judged_sig *s = &j->judged->sigs[0];

	if (j->judged->nsigs < 1 || j->sigs.nsigs != j->judged->nsigs)
		return err_set(e, ERR_SIG, "our own check finds no signature");
	if (j->judged->verdict != VERDICT_PROVEN || s->verdict != VERDICT_PROVEN)
		return err_set(e, ERR_SIG, "our own check refuses it: %s", s->nreasons > 0 ? s->reasons[0] : "no reason");
	if (s->level < seal->level)
		return err_set(e, ERR_SIG, "our own check finds level %s instead of %s", level_name(s->level),
		    level_name(seal->level));
	if (!s->covers_file && j->judged->nsigs == 1)
		return err_set(e, ERR_SIG, "our own check finds bytes that the signature does not cover");
	if (memcmp(s->cert_hash, p->cert_hash, HASH_LEN) != 0)
		return err_set(e, ERR_SIG, "our own check finds another certificate");
	return 0;
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct prep p;

	io_close(&j->side);
	if (!job_task_ok(j, o))
		return;
	if (j->judged == NULL && (j->judged = calloc(1, sizeof(*j->judged))) == NULL)
		err_set(&e, ERR_MEM, "verdict");
	else if ((seal = seal_of(j, &e)) != NULL && prep_get(j, &p, &e) == 0 &&
	    judge_result_get(o->result, j->judged, &e) == 0 && check_verdict(j, seal, &p, &e) == 0 &&
	    sealed_done(j, &e) == 0) {
		job_step(j);
		return;
	}
	job_trouble(j, &e);
}

/* Both parts inside the file; compared without a sum that could wrap. */
static bool
range_inside(const uint64_t r[4], uint64_t len)
{
	return r[0] <= len && r[1] <= len - r[0] && r[2] <= len && r[3] <= len - r[2];
}

/* Reads one record of the list, and hashes the bytes it speaks of: a child only names ranges. */
static int
judge_one(struct job *j, struct buf *list, const struct prep *prep, uint64_t len, uint8_t hash[HASH_LEN],
    struct err *e)
{
	struct sig_info s;
	uint64_t range[4];

	if (sig_info_get(list, &s, e) < 0)
		return err_set(e, ERR_DOC_CRASH, "the list of signatures is damaged");
	memcpy(range, s.range, sizeof(range));
	sig_info_done(&s);
	if (!range_inside(range, len))
		return err_set(e, ERR_DOC_CRASH, "a ByteRange lies outside the file");
	if (hash_ranges(j->out, range, hash, e) < 0)
		return -(int)e->code;
	if (prep != NULL && (memcmp(range, prep->range, sizeof(range)) != 0 || memcmp(hash, prep->digest, HASH_LEN) != 0))
		return err_set(e, ERR_SIG, "our own check finds another ByteRange than was signed");
	return 0;
}

static int
judge_params_make(struct job *j, struct judge_params *p, struct err *e)
{
	struct prep prep;
	uint64_t size;
	AUTO_FREE void *data = NULL;
	struct buf list;
	int r;

	if ((r = io_size(j->out, &p->file_len, e)) < 0 || (r = io_size(j->side, &size, e)) < 0 ||
	    (r = prep_get(j, &prep, e)) < 0)
		return r;
	if (size > 2 * SIGS_CMS_MAX || (data = malloc((size_t)size + 1)) == NULL)
		return err_set(e, ERR_DOC_CRASH, "the list of signatures is too long");
	if ((r = io_pread_full(j->side, data, (size_t)size, 0, e)) < 0)
		return r;
	buf_view(&list, data, (size_t)size);
	p->now_us = clock_wall_us();
	p->nsigs = j->sigs.nsigs;
	for (uint32_t i = 0; i < p->nsigs; i++)
		if ((r = judge_one(j, &list, i == 0 ? &prep : NULL, p->file_len, p->range_hash[i], e)) < 0)
			return r;
	return 0;
}

static int
judge_start(struct job *j, struct err *e)
{
	struct job_task t = { .kind = TASK_JUDGE, .in = j->side, .as_mib = 256, .cpu_s = 10, .deadline_ms = 20000 };
	AUTO_FREE struct judge_params *p = calloc(1, sizeof(*p));
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (p == NULL)
		return err_set(e, ERR_MEM, "verdict");
	if ((r = judge_params_make(j, p, e)) < 0)
		return r;
	judge_params_put(&b, p);
	t.params = &b;
	return job_task(j, &t, on_judged, e);
}

static void
on_listed(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	int r;

	if (!job_task_ok(j, o))
		return;
	if ((r = sigs_result_get(o->result, &j->sigs, &e)) == 0 &&
	    (j->sigs.warnings != 0 || j->sigs.nsigs == 0 || j->sigs.pages != j->plan->pages))
		r = err_set(&e, ERR_SIG, "our own check finds %u signatures, %u pages, %u warnings", j->sigs.nsigs,
		    j->sigs.pages, j->sigs.warnings);
	if (r == 0)
		r = judge_start(j, &e);
	if (r < 0)
		job_trouble(j, &e);
}

static int
finish_start(struct job *j, const struct tst *t, struct err *e)
{
	struct job_task task = { .kind = TASK_SIGS, .out = &j->side, .as_mib = DOCUMENT_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };
	uint8_t imprint[HASH_LEN];
	const uint8_t *cms = t->cms;
	size_t len = t->cms_len;
	struct prep p;
	struct buf sig;
	int r;

	buf_init(&sig, 0);
	if ((r = prep_get(j, &p, e)) == 0 && cms == NULL)
		r = sig_get(j, &sig, imprint, &cms, &len, e);
	if (r == 0 && len > p.hole)
		r = err_set(e, ERR_SIG, "signature and time stamp need %zu bytes, the hole has %u", len, p.hole);
	if (r == 0)
		r = fill(j, &p, cms, len, e);
	buf_done(&sig);
	if (r < 0)
		return r;
	task.in = j->out;
	return job_task(j, &task, on_listed, e);
}

void
sealing_step_signed(struct job *j)
{
	struct err e = { 0 };
	const struct conf_seal *seal = seal_of(j, &e);
	struct tst t = { 0 };
	int r;

	if (seal == NULL) {
		job_trouble(j, &e);
		return;
	}
	memset(&j->why, 0, sizeof(j->why));
	r = seal->level >= LEVEL_B_T ? tst_get(j, &t, &e) : 0;
	if (r == 0 && seal->level >= LEVEL_B_T)
		r = stamp_start(j, seal, &e);
	else if (r >= 0)
		r = finish_start(j, &t, &e);
	tst_done(&t);
	if (r < 0)
		job_trouble(j, &e);
}
