/*
 * place.h - from words found to the box of the seal.
 *
 * Which of several: exact and misread matches count alike, and it is held when
 * leaving the misread ones out would give another place: an exact match in the
 * text and a misread label are as much in doubt as two exact ones.
 */
#ifndef SEALROOM_PLACE_H
#define SEALROOM_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/lib/err.h"
#include "rules/match.h"

/* Index of the chosen match, or -ERR_ANCHOR_NONE, -ERR_ANCHOR_MANY. */
int place_choose(const struct conf_place *, const struct matches *);
/* The box beside a match, on the page or not; false: it has no size, or lies beyond all pages. */
bool place_beside(const struct conf_place *, const struct match *, struct box *ret);
bool place_on_page(const struct box *, const struct page_words *);
bool place_corner(const struct conf_place *, enum place_corner, const struct page_words *, struct box *ret);
/* A box of the rule's size with this top left corner. */
bool place_at(const struct conf_place *, int64_t x, int64_t y, const struct page_words *, struct box *ret);

#endif
