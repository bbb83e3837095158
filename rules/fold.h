/*
 * fold.h - text as it is compared: case, ligatures and typographic signs folded.
 *
 *	fold_plain(text, dst, size)      for people's patterns: "–" to "-", "ﬁ" to "fi"
 *	fold_next(&s, end, out)          code points as compared
 *	fold_distance(a, na, b, nb, max) Levenshtein; max + 1 when it is more
 *
 * Folding is a table for Latin, Greek and Cyrillic letters: simple case folding
 * (Unicode CaseFolding.txt, status C and S), "ß" as "ss".  Umlauts stay
 * different letters ("a" for "ä" is one typo); a base letter and a combining
 * mark become the composed letter.  The process's locale does not matter.
 */
#ifndef SEALROOM_FOLD_H
#define SEALROOM_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLD_OUT 3 /* code points that one may become */

uint32_t fold_case(uint32_t cp);                 /* one to one; others unchanged */
bool fold_alnum(uint32_t cp);                    /* letter or digit: part of a word */
bool fold_dash(uint32_t cp);                     /* hyphens and dashes, soft hyphen too */

/* Reads one code point (with a combining mark behind it) of s; returns how many came out, 0 at signs that vanish. */
size_t fold_next(const char **s, const char *end, uint32_t out[FOLD_OUT]);
/* Case stays; quotes, dashes, blanks and ligatures become plain. Cut at a whole character. */
void fold_plain(const char *text, char *dst, size_t size);
/* Folds UTF-8 to UTF-8, as fold_next(). */
void fold_text(const char *text, char *dst, size_t size);

#define FOLD_WORD_MAX 256
uint32_t fold_distance(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t max);

/* The nearest of several names, for "did you mean". */
struct near {
	const char *name;
	const char *best; /* NULL: none is near */
	uint32_t distance;
};
struct near near_start(const char *name);
void near_try(struct near *, const char *candidate);

#endif
