/*
 * pageset.h - some pages of a document: which, and how many it has.
 *
 *	page_set_init(&s, pages)
 *	page_set_add(&s, i)                i counts from 0; beyond the end: nothing
 *	page_set_text(&s, dst, size)       "2,5-9,20-60/2", counted from 1; false: does not fit
 *	page_set_read(&s, text)            adds what such a text names; "7-" is to the end
 *	page_set_rest(&s, n, &run)         what lies between its members: the documents between the sheets of a stack
 *
 * "20-60/2" is every second page from 20 to 60: blank backs of a duplex scan
 * are a short list.
 */
#ifndef SEALROOM_PAGESET_H
#define SEALROOM_PAGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"

#define PAGE_SET_MAX 100000 /* pages of a document: scan.max_pages at most */

struct page_set {
	uint32_t pages;
	uint8_t bits[(PAGE_SET_MAX + 7) / 8];
};

void page_set_init(struct page_set *, uint32_t pages);
void page_set_add(struct page_set *, uint32_t page);
bool page_set_has(const struct page_set *, uint32_t page);
uint32_t page_set_count(const struct page_set *);
bool page_set_text(const struct page_set *, char *dst, size_t size);
/* False: not written so, or it names a page that there is not. */
bool page_set_read(struct page_set *, const char *text);

/* Pages in a row, counted from 0. */
struct page_range {
	uint32_t first, last;
};
/* The n-th run of pages, from 0, that are not in the set; false: there are not so many. */
bool page_set_rest(const struct page_set *, uint32_t n, struct page_range *ret);
uint32_t page_set_rests(const struct page_set *);

void page_set_put(struct buf *, const struct page_set *);
/* False: more pages than there can be, or one beyond the last. */
bool page_set_get(struct buf *, struct page_set *);

#endif
