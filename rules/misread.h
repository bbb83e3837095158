/*
 * misread.h - how far a word on a page is from the one that is looked for,
 * given what recognition is known to confuse.
 *
 * Counted in half typos: a letter for another, lost or too many is two; "0" for
 * "o", "1" for "l", "rn" for "m", "B" for "ß" and the like are one.
 */
#ifndef SEALROOM_MISREAD_H
#define SEALROOM_MISREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MISREAD_TYPO 2u /* half typos */

/* Between folded words (fold.h) of at most FOLD_WORD_MAX; max + 1 when it is more. */
uint32_t misread_distance(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t max);
/*
 * The word stands whole in a longer one: "Siegel" in "Siegelring" is another
 * word, not a misread one.  A stroke beside it that was read as i, l, j or 1
 * makes no longer word.
 */
bool misread_inside(const uint32_t *longer, size_t nlonger, const uint32_t *word, size_t nword);

#endif
