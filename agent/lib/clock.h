/*
 * clock.h - waiting by CLOCK_BOOTTIME, writing down by wall clock (UTC).
 */
#ifndef SEALROOM_CLOCK_H
#define SEALROOM_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_ISO_MAX 40

uint64_t clock_ms(void);        /* CLOCK_BOOTTIME, milliseconds */
int64_t clock_wall_us(void);    /* microseconds since 1970, UTC */
/* "2026-11-22T09:34:30.123456Z", "2026-11-22T09:34:30Z", "20261122093430Z" */
void clock_iso_us(int64_t us, char out[CLOCK_ISO_MAX]);
void clock_iso(int64_t us, char out[CLOCK_ISO_MAX]);
void clock_compact(int64_t us, char out[CLOCK_ISO_MAX]);
#define CLOCK_BOOT_LEN 36
/* What tells two runs of the kernel apart, and so two counts of clock_ms(): 0, or -1 with errno. */
int clock_boot_id(char out[CLOCK_BOOT_LEN + 1]);
int clock_parse_iso(const char *, int64_t *ret_us); /* both ISO forms; 0 or -1 */

#endif
