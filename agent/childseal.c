#include <string.h>

#include "agent/lib/wire.h"

#include "agent/childrenint.h"

/* --- the answer ------------------------------------------------------------------------- */

static void
answer_question(struct peer *p, const struct err *e, const uint8_t *cms, size_t len, const uint8_t *imprint,
    const char *note)
{
	struct question q = p->question;

	if (!q.open)
		return;
	memset(&p->question, 0, sizeof(p->question));
	p->unasked = q.unasked;
	if (p->token != NULL && p->c->opts.token_free != NULL && !p->c->closing)
		p->c->opts.token_free(p->c->opts.ctx);
	loop_timer_del(p->c->loop, q.timer);
	if (q.sign != NULL)
		q.sign(q.ctx, e, cms, len, imprint);
	else
		q.note(q.ctx, e, note);
}

void
peer_fail_question(struct peer *p, const struct err *why)
{
	answer_question(p, why, NULL, 0, NULL, NULL);
}

int
peer_signed(struct peer *p, struct wire_msg *m, struct err *e)
{
	uint32_t ticket = buf_get_u32(&m->payload);
	size_t len;
	const uint8_t *cms = buf_get_blob(&m->payload, &len);
	uint8_t imprint[HASH_LEN];

	buf_get(&m->payload, imprint, HASH_LEN);
	if (!buf_finished(&m->payload) || !p->question.open || p->question.sign == NULL ||
	    ticket != p->question.ticket || len == 0)
		return err_set(e, ERR_PEER, "SIGNED without a question");
	p->seal->signatures++;
	p->useful = true;
	answer_question(p, NULL, cms, len, imprint, NULL);
	return 0;
}

int
peer_refused(struct peer *p, struct wire_msg *m, struct err *e)
{
	struct err why = { 0 };
	char text[ERR_TEXT_MAX];
	uint32_t ticket = buf_get_u32(&m->payload);
	uint32_t code = buf_get_u32(&m->payload), unasked = buf_get_u32(&m->payload);

	buf_get_str(&m->payload, text, sizeof(text));
	if (!buf_finished(&m->payload) || !err_code_valid(code) || unasked > MSG_UNASKED || !p->question.open ||
	    (p->question.sign != NULL && ticket != p->question.ticket))
		return err_set(e, ERR_PEER, "REFUSED without a question");
	err_set(&why, (enum err_code)code, "%s", text);
	p->question.unasked = unasked == MSG_UNASKED;
	peer_fail_question(p, &why);
	return 0;
}

int
peer_noted(struct peer *p, struct wire_msg *m, struct err *e)
{
	char note[MSG_NOTE_MAX];
	size_t len;
	const uint8_t *text = buf_get_blob(&m->payload, &len);

	if (!buf_finished(&m->payload) || !p->question.open || p->question.note == NULL || len >= sizeof(note))
		return err_set(e, ERR_PEER, "NOTED without a question");
	memcpy(note, text, len);
	note[len] = '\0';
	answer_question(p, NULL, NULL, 0, NULL, note);
	return 0;
}

/* --- the question ----------------------------------------------------------------------- */

static void
on_answer_late(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	p->question.timer = 0;
	err_set(&e, ERR_TOKEN_FAULT, "token %s gave no answer within %u s", p->name, p->c->opts.answer_ms / 1000);
	peer_down(p, &e);
}

/* Answers later, from the loop, when the process has gone meanwhile. */
static void
on_ask_failed(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	if (!p->question.open)
		return;
	p->question.timer = 0;
	err_set(&e, ERR_TOKEN_GONE, "token %s is not ready", p->name);
	/* one that only now starts may be in the middle of its login: never killed for this */
	if (p->state == PEER_READY)
		peer_down(p, &e);
	else
		peer_fail_question(p, &e);
}

static void
ask(struct peer *p, enum msg_type type, const struct buf *b, struct question q)
{
	struct err e = { 0 };
	bool sent = p->state == PEER_READY && wire_send(p->proc.sock, type, ++p->seq, b, NULL, 0, &e) == 0;

	p->question = q;
	p->question.open = true;
	p->question.unasked = !sent;
	p->question.timer = loop_timer(p->c->loop, sent ? p->c->opts.answer_ms : 0, sent ? on_answer_late : on_ask_failed, p);
}

/* --- tokens ----------------------------------------------------------------------------- */

struct peer *
children_token(const struct children *c, const struct conf_token *token)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->token == token && p->state == PEER_READY && !p->renew && p->seal->logged_in)
			return p;
	return NULL;
}

bool
children_token_busy(const struct peer *p)
{
	return p->question.open;
}

const struct ready_seal *
children_token_facts(const struct peer *p)
{
	return p->seal;
}

const char *
children_token_name(const struct peer *p)
{
	return p->name;
}

bool
children_unasked(const struct peer *p)
{
	return p->unasked;
}

void
children_sign(struct peer *p, const char *job, uint32_t attempt, const uint8_t digest[HASH_LEN], sign_cb *cb,
    void *ctx)
{
	struct question q = { .ticket = p->seq + 1, .sign = cb, .ctx = ctx };
	AUTO_BUF b;

	buf_init(&b, 96);
	buf_put_u32(&b, q.ticket);
	buf_put_str(&b, job);
	buf_put_u32(&b, attempt);
	buf_put(&b, digest, HASH_LEN);
	ask(p, MSG_SIGN, &b, q);
}

/* --- the log's key ---------------------------------------------------------------------- */

static struct peer *
log_peer(const struct children *c)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->log)
			return p;
	return NULL;
}

const struct ready_seal *
children_log_facts(const struct children *c)
{
	const struct peer *p = log_peer(c);

	return p != NULL && p->state == PEER_READY ? p->seal : NULL;
}

int
children_note(struct children *c, const char *origin, uint64_t size, const uint8_t root[HASH_LEN], note_cb *cb,
    void *ctx)
{
	struct question q = { .note = cb, .ctx = ctx };
	struct peer *p = log_peer(c);
	AUTO_BUF b = { 0 };

	if (p == NULL || p->state != PEER_READY || p->question.open)
		return -1;
	buf_init(&b, 320);
	buf_put_str(&b, origin);
	buf_put_u64(&b, size);
	buf_put(&b, root, HASH_LEN);
	ask(p, MSG_NOTE, &b, q);
	return 0;
}
