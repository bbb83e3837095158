/*
 * webp.h - WebP (RFC 9649), one still picture: its chunks, then the page.
 *
 *	webp_inspect(&s, scan, &res, &e)
 *	webp_read(&im, &s, page, ...)
 *
 * PDF has no such filter: the pixels that libwebp gives are packed anew.
 */
#ifndef SEALROOM_SCAN_WEBP_H
#define SEALROOM_SCAN_WEBP_H

#include <stdbool.h>

#include "scan/image.h"

bool webp_magic(const uint8_t *head, size_t len);
int webp_inspect(struct source *, const struct conf_scan *, struct inspect_result *, struct err *);
int webp_read(struct image *, struct source *, uint32_t page, const struct conf_scan *, struct err *);

#endif
