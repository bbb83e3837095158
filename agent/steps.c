#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/steps.h"

enum kind { STEP_COPY, STEP_WIDE, STEP_DIGEST, STEP_FLUSH, STEP_CALL };

struct step {
	enum kind kind;
	int from, to;
	uint64_t at, left;
	bool hashed;
	uint8_t *out;
	struct hash_wide *wide;
	steps_fn *fn;
	struct step *next;
};

struct steps {
	struct loop *loop;
	void *ctx;
	steps_cb *done;
	uint64_t timer;
	struct step *first, **last;
	bool much; /* the last turn was a long one */
	struct hash *hash;
};

struct steps *
steps_new(struct loop *loop, void *ctx)
{
	struct steps *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort(); /* as a timer of the loop: a restart loses nothing, a job without its next step is stuck */
	s->loop = loop;
	s->ctx = ctx;
	s->last = &s->first;
	return s;
}

static struct step *
add(struct steps *s, enum kind kind)
{
	struct step *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->kind = kind;
	*s->last = t;
	s->last = &t->next;
	return t;
}

void
steps_copy(struct steps *s, int from, uint64_t off, uint64_t len, int to, bool hashed)
{
	struct step *t = add(s, STEP_COPY);

	t->from = from;
	t->to = to;
	t->at = off;
	t->left = len;
	t->hashed = hashed;
}

void
steps_digest(struct steps *s, uint8_t out[HASH_LEN])
{
	add(s, STEP_DIGEST)->out = out;
}

void
steps_wide(struct steps *s)
{
	add(s, STEP_WIDE);
}

void
steps_digest_wide(struct steps *s, uint8_t out[HASH_LEN], struct hash_wide *wide)
{
	struct step *t = add(s, STEP_DIGEST);

	t->out = out;
	t->wide = wide;
}

void
steps_flush(struct steps *s, int fd)
{
	add(s, STEP_FLUSH)->from = fd;
}

void
steps_call(struct steps *s, steps_fn *fn)
{
	add(s, STEP_CALL)->fn = fn;
}

void
steps_cancel(struct steps *s)
{
	struct step *t;

	if (s == NULL)
		return;
	if (s->loop != NULL)
		loop_timer_del(s->loop, s->timer);
	while ((t = s->first) != NULL) {
		s->first = t->next;
		free(t);
	}
	hash_free(s->hash);
	free(s);
}

/* --- one turn ---------------------------------------------------------------------------- */

static int
copy(struct steps *s, struct step *t, uint64_t *budget, struct err *e)
{
	static uint8_t block[256 * 1024];
	int r;

	if (t->hashed && s->hash == NULL)
		s->hash = hash_open();
	while (t->left > 0 && *budget > 0) {
		size_t n = t->left < sizeof(block) ? (size_t)t->left : sizeof(block);

		if (n > *budget)
			n = (size_t)*budget;
		if ((r = io_pread_full(t->from, block, n, t->at, e)) < 0 || (t->to >= 0 && (r = io_write_full(t->to, block, n, e)) < 0))
			return r;
		if (t->hashed)
			hash_add(s->hash, block, n);
		t->at += n;
		t->left -= n;
		*budget -= n;
	}
	s->much = *budget < STEPS_TURN / 2;
	return t->left > 0;
}

/*
 * The fsync that follows finds little left to write.  An error is the same as
 * one of fsync: what was to be written may be gone.
 */
static int
flush(struct steps *s, struct step *t, struct err *e)
{
	uint64_t size;
	int r;

	if ((r = io_size(t->from, &size, e)) < 0)
		return r;
	if (size <= STEPS_TURN || t->at >= size)
		return 0;
	if ((r = io_flush(t->from, t->at, STEPS_TURN, e)) < 0)
		return r;
	t->at += STEPS_TURN;
	s->much = true;
	return t->at < size;
}

static void
digest(struct steps *s, struct step *t)
{
	if (s->hash == NULL)
		s->hash = hash_open();
	if (t->wide != NULL)
		hash_final_wide(s->hash, t->out, t->wide);
	else
		hash_final(s->hash, t->out);
	s->hash = NULL;
}

/* 1: not done yet. */
static int
one(struct steps *s, struct step *t, uint64_t *budget, struct err *e)
{
	switch (t->kind) {
	case STEP_COPY:
		return copy(s, t, budget, e);
	case STEP_WIDE:
		s->hash = hash_open_wide();
		return 0;
	case STEP_DIGEST:
		digest(s, t);
		return 0;
	case STEP_FLUSH:
		if (t->at > 0)
			*budget = 0;
		return flush(s, t, e);
	case STEP_CALL:
		*budget = 0;
		return t->fn(s->ctx, e);
	}
	return 0;
}

int
steps_turn(struct steps *s, struct err *e)
{
	uint64_t budget = STEPS_TURN;
	struct step *t;
	int r;

	s->much = false;
	while ((t = s->first) != NULL) {
		/* after much work a call has its turn to itself */
		if (t->kind == STEP_CALL && budget < STEPS_TURN / 2)
			return 1;
		if ((r = one(s, t, &budget, e)) != 0)
			return r < 0 ? r : 1;
		if ((s->first = t->next) == NULL)
			s->last = &s->first;
		free(t);
		if (budget == 0)
			break;
	}
	return s->first != NULL;
}

static void
on_turn(void *ctx)
{
	struct steps *s = ctx;
	struct err e = { 0 };
	steps_cb *done = s->done;
	void *their = s->ctx;
	int r = steps_turn(s, &e);

	s->timer = 0;
	if (r > 0) {
		s->timer = s->much ? loop_behind(s->loop, on_turn, s) : loop_timer(s->loop, 0, on_turn, s);
		return;
	}
	steps_cancel(s);
	done(their, r < 0 ? &e : NULL);
}

void
steps_go(struct steps *s, steps_cb *done)
{
	s->done = done;
	s->timer = loop_timer(s->loop, 0, on_turn, s);
}
