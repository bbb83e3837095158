#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/pdfcontent.h"

#define OPERANDS_MAX 64
#define STATES_MAX 64
#define NEST_MAX 32
#define HUGE_SIDE 1e7

struct state {
	double m[6];
	double clip[4];
	int render; /* text rendering mode */
};

struct interpreter {
	const uint8_t *p, *end;
	struct state stack[STATES_MAX];
	int depth;
	double numbers[OPERANDS_MAX]; /* numeric operands of the operator to come */
	int n;
	char name[CONTENT_NAME_MAX];  /* the last name operand */
	char first[4];                /* the beginning of the first one: "/OC" is of interest */
	bool has_rect, other_path;    /* the current path: one rectangle, or anything else */
	double rect[4];
	bool clip_next;
	bool drawn;
	content_resource *ask;
	void *ctx;
	struct content found;
};

static int
foreign(struct err *e, const char *what)
{
	return err_set(e, ERR_DOC_FOREIGN, "the page %s; only pages of one scanned image are taken", what);
}

static int
damaged(struct err *e)
{
	return err_set(e, ERR_DOC_BAD, "the content stream of the page is damaged");
}

/* --- tokens (ISO 32000-1, 7.2) ---------------------------------------------------------------- */

static bool
is_white(int c)
{
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static bool
is_delimiter(int c)
{
	return c != 0 && strchr("()<>[]{}/%", c) != NULL;
}

static bool
is_regular(int c)
{
	return !is_white(c) && !is_delimiter(c);
}

static void
skip_white(struct interpreter *in)
{
	while (in->p < in->end) {
		if (*in->p == '%')
			while (in->p < in->end && *in->p != '\n' && *in->p != '\r')
				in->p++;
		else if (is_white(*in->p))
			in->p++;
		else
			break;
	}
}

/* A literal string; its text is of no interest. */
static int
skip_string(struct interpreter *in, struct err *e)
{
	int open = 0;

	for (; in->p < in->end; in->p++) {
		if (*in->p == '\\' && in->p + 1 < in->end)
			in->p++;
		else if (*in->p == '(')
			open++;
		else if (*in->p == ')' && --open == 0) {
			in->p++;
			return 0;
		}
	}
	return damaged(e);
}

/* An array, dictionary or hex string as operand, with all in it. */
static int
skip_compound(struct interpreter *in, struct err *e)
{
	int depth = 0, r;

	while (in->p < in->end) {
		int c = *in->p;

		if (c == '(') {
			if ((r = skip_string(in, e)) < 0)
				return r;
		} else {
			depth += c == '[' || c == '<' ? 1 : c == ']' || c == '>' ? -1 : 0;
			in->p++;
		}
		if (depth > NEST_MAX)
			return damaged(e);
		if (depth == 0)
			return 0;
	}
	return damaged(e);
}

static void
take_name(struct interpreter *in)
{
	size_t n = 0;

	in->name[n++] = (char)*in->p++;
	while (in->p < in->end && is_regular(*in->p)) {
		if (n < sizeof(in->name) - 1)
			in->name[n++] = (char)*in->p;
		in->p++;
	}
	in->name[n] = '\0';
	if (in->first[0] == '\0')
		snprintf(in->first, sizeof(in->first), "%.3s", n == 3 ? in->name : "/");
}

/* --- state ---------------------------------------------------------------------------------------- */

static struct state *
now(struct interpreter *in)
{
	return &in->stack[in->depth];
}

static void
concat(double m[6], const double a[6])
{
	double r[6] = { a[0] * m[0] + a[1] * m[2], a[0] * m[1] + a[1] * m[3], a[2] * m[0] + a[3] * m[2],
		a[2] * m[1] + a[3] * m[3], a[4] * m[0] + a[5] * m[2] + m[4], a[4] * m[1] + a[5] * m[3] + m[5] };

	memcpy(m, r, sizeof(r));
}

/* The rectangle x y w h in user space; false when the matrix turns it askew. */
static bool
user_rect(const double m[6], const double xywh[4], double out[4])
{
	double x[2], y[2];

	if (!((fabs(m[1]) < 1e-6 && fabs(m[2]) < 1e-6) || (fabs(m[0]) < 1e-6 && fabs(m[3]) < 1e-6)))
		return false;
	for (int i = 0; i < 2; i++) {
		double px = xywh[0] + i * xywh[2], py = xywh[1] + i * xywh[3];

		x[i] = px * m[0] + py * m[2] + m[4];
		y[i] = px * m[1] + py * m[3] + m[5];
	}
	out[0] = fmin(x[0], x[1]);
	out[1] = fmin(y[0], y[1]);
	out[2] = fmax(x[0], x[1]);
	out[3] = fmax(y[0], y[1]);
	return true;
}

/* The path has ended without paint: it may have been a clip. */
static int
end_path(struct interpreter *in, struct err *e)
{
	double *c = now(in)->clip;

	if (in->clip_next) {
		if (!in->has_rect || in->other_path)
			return foreign(e, "is clipped to a shape");
		c[0] = fmax(c[0], in->rect[0]);
		c[1] = fmax(c[1], in->rect[1]);
		c[2] = fmin(c[2], in->rect[2]);
		c[3] = fmin(c[3], in->rect[3]);
	}
	in->has_rect = in->other_path = in->clip_next = false;
	return 0;
}

static int
draw(struct interpreter *in, struct err *e)
{
	if (!in->ask(in->ctx, CONTENT_IMAGE, in->name))
		return foreign(e, "draws a form");
	if (in->drawn)
		return foreign(e, "draws more than one image");
	in->drawn = true;
	snprintf(in->found.image, sizeof(in->found.image), "%s", in->name);
	memcpy(in->found.matrix, now(in)->m, sizeof(in->found.matrix));
	memcpy(in->found.clip, now(in)->clip, sizeof(in->found.clip));
	return 0;
}

/* --- operators (ISO 32000-1, Annex A) --------------------------------------------------------------- */

enum kind { KEEP, SAVE, RESTORE, MATRIX, STATE, RECT, PATH, CLIP, NOPAINT, DRAW, RENDER, FONT, TEXT, OPTIONAL, PAINT };

static const struct {
	const char *name;
	enum kind kind;
	int operands; /* least number of numeric ones */
} operators[] = {
	{ "q", SAVE, 0 }, { "Q", RESTORE, 0 }, { "cm", MATRIX, 6 }, { "gs", STATE, 0 }, { "Do", DRAW, 0 },
	{ "re", RECT, 4 }, { "W", CLIP, 0 }, { "W*", CLIP, 0 }, { "n", NOPAINT, 0 },
	{ "m", PATH, 0 }, { "l", PATH, 0 }, { "c", PATH, 0 }, { "v", PATH, 0 }, { "y", PATH, 0 }, { "h", KEEP, 0 },
	{ "Tr", RENDER, 1 }, { "Tf", FONT, 0 }, { "Tj", TEXT, 0 }, { "TJ", TEXT, 0 }, { "'", TEXT, 0 }, { "\"", TEXT, 0 },
	{ "BT", KEEP, 0 }, { "ET", KEEP, 0 }, { "Td", KEEP, 0 }, { "TD", KEEP, 0 }, { "Tm", KEEP, 0 }, { "T*", KEEP, 0 },
	{ "Tc", KEEP, 0 }, { "Tw", KEEP, 0 }, { "Tz", KEEP, 0 }, { "TL", KEEP, 0 }, { "Ts", KEEP, 0 },
	{ "w", KEEP, 0 }, { "J", KEEP, 0 }, { "j", KEEP, 0 }, { "M", KEEP, 0 }, { "d", KEEP, 0 }, { "ri", KEEP, 0 },
	{ "i", KEEP, 0 }, { "g", KEEP, 0 }, { "G", KEEP, 0 }, { "rg", KEEP, 0 }, { "RG", KEEP, 0 }, { "k", KEEP, 0 },
	{ "K", KEEP, 0 }, { "cs", KEEP, 0 }, { "CS", KEEP, 0 }, { "sc", KEEP, 0 }, { "SC", KEEP, 0 }, { "scn", KEEP, 0 },
	{ "SCN", KEEP, 0 }, { "BMC", KEEP, 0 }, { "EMC", KEEP, 0 }, { "MP", KEEP, 0 }, { "BX", KEEP, 0 }, { "EX", KEEP, 0 },
	{ "BDC", OPTIONAL, 0 }, { "DP", KEEP, 0 }, { "true", KEEP, 0 }, { "false", KEEP, 0 }, { "null", KEEP, 0 },
	{ "f", PAINT, 0 }, { "F", PAINT, 0 }, { "f*", PAINT, 0 }, { "B", PAINT, 0 }, { "B*", PAINT, 0 }, { "b", PAINT, 0 },
	{ "b*", PAINT, 0 }, { "S", PAINT, 0 }, { "s", PAINT, 0 }, { "sh", PAINT, 0 }, { "BI", PAINT, 0 },
	{ "d0", PAINT, 0 }, { "d1", PAINT, 0 },
};

static int
apply_graphics(struct interpreter *in, enum kind kind, const double *last, struct err *e)
{
	switch (kind) {
	case SAVE:
		if (in->depth + 1 == STATES_MAX)
			return damaged(e);
		in->stack[in->depth + 1] = in->stack[in->depth];
		in->depth++;
		return 0;
	case RESTORE:
		if (in->depth == 0)
			return damaged(e);
		in->depth--;
		return 0;
	case MATRIX:
		concat(now(in)->m, last);
		return 0;
	case RECT:
		in->other_path = in->other_path || in->has_rect || !user_rect(now(in)->m, last, in->rect);
		in->has_rect = true;
		return 0;
	case PATH:
		in->other_path = true;
		return 0;
	case CLIP:
		in->clip_next = true;
		return 0;
	default:
		return end_path(in, e);
	}
}

static int
apply(struct interpreter *in, enum kind kind, int operands, struct err *e)
{
	const double *last;

	if (in->n < operands)
		return damaged(e);
	last = in->numbers + in->n - operands;
	switch (kind) {
	case KEEP:
		return 0;
	case STATE:
		return in->ask(in->ctx, CONTENT_STATE, in->name) ? 0 : foreign(e, "uses transparency or masks");
	case DRAW:
		return draw(in, e);
	case RENDER:
		now(in)->render = (int)last[0];
		return 0;
	case FONT:
		return in->ask(in->ctx, CONTENT_FONT, in->name) ? 0 : foreign(e, "has drawn characters");
	case TEXT:
		return now(in)->render == 3 ? 0 : foreign(e, "shows text");
	case OPTIONAL: /* the tag comes first, a named property list may follow */
		return strcmp(in->first, "/OC") == 0 ? foreign(e, "has optional content") : 0;
	case PAINT:
		return foreign(e, "paints lines or areas");
	default:
		return apply_graphics(in, kind, last, e);
	}
}

static int
operator(struct interpreter *in, const char *word, struct err *e)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strcmp(operators[i].name, word) == 0) {
			int r = apply(in, operators[i].kind, operators[i].operands, e);

			in->n = 0;
			in->name[0] = in->first[0] = '\0';
			return r;
		}
	return foreign(e, "has operators that are not known");
}

/* A number, or an operator. */
static int
take_word(struct interpreter *in, struct err *e)
{
	char word[64], *rest;
	size_t n = 0;
	double v;

	while (in->p < in->end && is_regular(*in->p)) {
		if (n + 1 >= sizeof(word))
			return damaged(e);
		word[n++] = (char)*in->p++;
	}
	word[n] = '\0';
	if (n == 0) /* a stray delimiter */
		return damaged(e);
	if (strchr("+-.0123456789", word[0]) == NULL)
		return operator(in, word, e);
	v = strtod(word, &rest);
	if (*rest != '\0' || strpbrk(word, "eExXpPnN") != NULL || fabs(v) > HUGE_SIDE || in->n == OPERANDS_MAX)
		return damaged(e);
	in->numbers[in->n++] = v;
	return 0;
}

int
content_read(struct content *ret, const uint8_t *data, size_t len, content_resource *ask, void *ctx, struct err *e)
{
	struct interpreter in = { .p = data, .end = data + len, .ask = ask, .ctx = ctx,
		.stack = { { .m = { 1, 0, 0, 1, 0, 0 }, .clip = { -HUGE_SIDE, -HUGE_SIDE, HUGE_SIDE, HUGE_SIDE } } } };
	int r = 0;

	for (skip_white(&in); in.p < in.end && r == 0; skip_white(&in)) {
		if (*in.p == '/')
			take_name(&in);
		else if (*in.p == '(')
			r = skip_string(&in, e);
		else if (*in.p == '[' || *in.p == '<')
			r = skip_compound(&in, e);
		else
			r = take_word(&in, e);
	}
	if (r < 0)
		return r;
	if (!in.drawn)
		return foreign(e, "draws no image");
	*ret = in.found;
	return 0;
}
