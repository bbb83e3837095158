#include <string.h>

#include "rules/fold.h"
#include "rules/misread.h"

#define CONFUSED 1u

/*
 * Folded letters that look alike to recognition: each pair has a bit of its own.
 * 0o 1i 1l 2z 5s 6b 8b 9g aä bh ce ft gq ij il nu oö uü uv
 */
#define P(n) (1u << (n))
#define LETTERS 256
static const uint32_t pairs[LETTERS] = {
	['0'] = P(0), ['1'] = P(1) | P(2), ['2'] = P(3), ['5'] = P(4), ['6'] = P(5), ['8'] = P(6), ['9'] = P(7),
	['a'] = P(8), ['b'] = P(5) | P(6) | P(9), ['c'] = P(10), ['e'] = P(10), ['f'] = P(11), ['g'] = P(7) | P(12),
	['h'] = P(9), ['i'] = P(1) | P(13) | P(14), ['j'] = P(13), ['l'] = P(2) | P(14), ['n'] = P(15),
	['o'] = P(0) | P(16), ['q'] = P(12), ['s'] = P(4), ['t'] = P(11), ['u'] = P(15) | P(17) | P(18),
	['v'] = P(18), ['z'] = P(3), [0xE4] = P(8), [0xF6] = P(16), [0xFC] = P(17),
};
#undef P

static inline uint32_t
letter_cost(uint32_t a, uint32_t b)
{
	if (a == b)
		return 0;
	return a < LETTERS && b < LETTERS && (pairs[a] & pairs[b]) != 0 ? CONFUSED : MISREAD_TYPO;
}

static inline bool
are(const uint32_t two[2], uint32_t first, uint32_t second)
{
	return two[0] == first && two[1] == second;
}

/* One letter that looks like two; "ss" is how "ß" is folded. */
static inline bool
is_parts(uint32_t one, const uint32_t two[2])
{
	switch (one) {
	case 'b':
		return are(two, 's', 's');
	case 'd':
		return are(two, 'c', 'l');
	case 'm':
		return are(two, 'r', 'n') || are(two, 'i', 'n') || are(two, 'n', 'i');
	case 'n':
		return are(two, 'r', 'i');
	case 'u':
	case 0xFC:
		return are(two, 'i', 'i');
	case 'w':
		return are(two, 'v', 'v');
	default:
		return false;
	}
}

static inline bool
has_parts(uint32_t one)
{
	return one == 'b' || one == 'd' || one == 'm' || one == 'n' || one == 'u' || one == 0xFC || one == 'w';
}

/* Is there a letter whose parts may be these? */
static inline bool
pair_counts(const uint32_t two[2])
{
	return two[0] == two[1] || two[0] == 'c' || two[0] == 'r' || two[0] == 'i' || two[0] == 'n';
}

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * The matrix of an edit distance, three rows of it, near its diagonal: a cell
 * further from it than 'max' costs more, because each letter of difference in
 * length does.  So a row is its band alone, and column j of row i is cell(i, j).
 */
struct matrix {
	const uint32_t *a, *b;
	size_t nb, band;
	uint32_t much;  /* max + 1 */
	uint32_t *room; /* 3 * CELLS(band) */
};
#define CELLS(band) (2 * (band) + 3)
#define BAND_USUAL (3 * MISREAD_TYPO) /* three typos are the most that settings allow */

static inline uint32_t *
cell(const struct matrix *m, size_t i, size_t j)
{
	return &m->room[i % 3 * CELLS(m->band) + j + m->band + 1 - i];
}

/* Row i; returns the least in it. What lies beside the diagonal's band is too much. */
static uint32_t
row_fill(const struct matrix *m, size_t i)
{
	const bool pair = i > 1 && pair_counts(m->a + i - 2), parts = has_parts(m->a[i - 1]); /* of most letters neither */
	const size_t from = i > m->band ? i - m->band : 1, to = i + m->band < m->nb ? i + m->band : m->nb;
	const uint32_t a = m->a[i - 1];
	/* column from - 1 of this row, of the one above, and of the one above that */
	uint32_t *row = cell(m, i, from - 1), best = *row = from == 1 ? least((uint32_t)i * MISREAD_TYPO, m->much) : m->much;
	const uint32_t *above = cell(m, i - 1, from - 1), *above2 = i > 1 ? cell(m, i - 2, from - 1) : above;

	for (size_t j = from; j <= to; j++, row++, above++, above2++) {
		uint32_t b = m->b[j - 1];
		uint32_t d = least(least(above[1], row[0]) + MISREAD_TYPO, above[0] + letter_cost(a, b));

		if (pair && is_parts(b, m->a + i - 2))
			d = least(d, above2[0] + CONFUSED);
		if (parts && j > 1 && is_parts(a, m->b + j - 2))
			d = least(d, above[-1] + CONFUSED);
		row[1] = least(d, m->much);
		best = least(best, d);
	}
	row[1] = m->much;
	return best;
}

static uint32_t
distance(const struct matrix *m, size_t na)
{
	uint32_t before = 0;

	for (size_t j = 0; j <= m->nb && j <= m->band + 1; j++)
		*cell(m, 0, j) = least((uint32_t)j * MISREAD_TYPO, m->much);
	for (size_t i = 1; i <= na; i++) {
		uint32_t best = row_fill(m, i);

		if (best >= m->much && before >= m->much)
			return m->much;
		before = best;
	}
	return least(*cell(m, na, m->nb), m->much);
}

/* Apart, because its room is cleared at each call. */
__attribute__((noinline)) static uint32_t
distance_far(struct matrix *m, size_t na)
{
	uint32_t room[3 * CELLS(FOLD_WORD_MAX)];

	m->room = room;
	return distance(m, na);
}

/* Letters of a that have no equal in b as near as a shift of max allows; no more than 'most' + 1 are counted. */
static uint32_t
lone_letters(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, size_t max, uint32_t most)
{
	uint32_t lone = 0;

	for (size_t i = 0; i < na && lone <= most; i++) {
		size_t j = i > max ? i - max : 0;
		const size_t end = i + max < nb ? i + max + 1 : nb;

		while (j < end && b[j] != a[i])
			j++;
		lone += j >= end;
	}
	return lone;
}

/*
 * Cheap: do the letters alone say that it is more than max?  A half typo has two letters on
 * one side and one on the other at most, and shifts what follows by one.
 */
static bool
surely_far(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t max)
{
	const uint32_t lone = lone_letters(a, na, b, nb, max, 2 * max);

	return lone > 2 * max || lone + lone_letters(b, nb, a, na, max, 2 * max) > 3 * max;
}

uint32_t
misread_distance(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t max)
{
	uint32_t room[3 * CELLS(BAND_USUAL)];
	struct matrix m = { .a = a, .b = b, .nb = nb, .band = max < FOLD_WORD_MAX ? max : FOLD_WORD_MAX, .much = max + 1, .room = room };

	/* two letters for one is what a half typo changes of the length */
	if (na > FOLD_WORD_MAX || nb > FOLD_WORD_MAX || (na > nb ? na - nb : nb - na) > max)
		return max + 1;
	if (surely_far(a, na, b, nb, max))
		return max + 1;
	return max <= BAND_USUAL ? distance(&m, na) : distance_far(&m, na);
}

/* What a rule or a frame beside a word is read as. */
static bool
stroke(uint32_t cp)
{
	return cp == 'i' || cp == 'l' || cp == 'j' || cp == '1';
}

bool
misread_inside(const uint32_t *longer, size_t nlonger, const uint32_t *word, size_t nword)
{
	for (size_t at = 0; at + nword <= nlonger && nword < nlonger; at++) {
		if (memcmp(longer + at, word, nword * sizeof(*word)) != 0)
			continue;
		if (nlonger == nword + 1 && stroke(longer[at > 0 ? 0 : nword]))
			continue;
		return true;
	}
	return false;
}
