/*
 * findings.h - what came out of judging one thing: the worst verdict, and why.
 *
 * Verdicts follow the main indications of EN 319 102-1, 5.1.3: PROVEN is
 * TOTAL-PASSED, DISPROVEN is TOTAL-FAILED (damaged, changed, not what it says
 * it is), UNKNOWN is INDETERMINATE (trust, time, algorithms out of reach).
 * Adding PROVEN adds a remark and changes nothing.  More than FINDINGS_MAX
 * texts are dropped; the verdict still counts.
 */
#ifndef SEALROOM_FINDINGS_H
#define SEALROOM_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/taskmsg.h"

#define FINDINGS_MAX 10 /* 16 judged signatures with all of them fit one message */
#define FINDING_TEXT 160

struct findings {
	uint32_t verdict; /* enum verdict; starts as VERDICT_PROVEN */
	uint32_t n;
	bool expired;     /* a certificate has ended, and the path to a trusted root is there all the same */
	char text[FINDINGS_MAX][FINDING_TEXT];
};

/* Texts come from hostile certificates and tokens too: shown by path_display(). Returns 'v' == PROVEN. */
int findings_add(struct findings *, enum verdict v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds all of 'from', each text with prefix before it. */
void findings_merge(struct findings *, const struct findings *from, const char *prefix);
uint32_t verdict_worst(uint32_t a, uint32_t b); /* DISPROVEN, then UNKNOWN, then PROVEN */

#endif
