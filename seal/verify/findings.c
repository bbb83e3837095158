#include <stdarg.h>
#include <stdio.h>

#include "agent/lib/path.h"
#include "seal/verify/findings.h"

uint32_t
verdict_worst(uint32_t a, uint32_t b)
{
	if (a == VERDICT_DISPROVEN || b == VERDICT_DISPROVEN)
		return VERDICT_DISPROVEN;
	return a == VERDICT_PROVEN && b == VERDICT_PROVEN ? VERDICT_PROVEN : VERDICT_UNKNOWN;
}

int
findings_add(struct findings *f, enum verdict v, const char *fmt, ...)
{
	char line[2 * FINDING_TEXT];
	va_list ap;

	f->verdict = verdict_worst(f->verdict, v);
	if (f->n < FINDINGS_MAX) {
		va_start(ap, fmt);
		vsnprintf(line, sizeof(line), fmt, ap);
		va_end(ap);
		path_display(line, f->text[f->n++], FINDING_TEXT);
	}
	return v == VERDICT_PROVEN;
}

void
findings_merge(struct findings *f, const struct findings *from, const char *prefix)
{
	for (uint32_t i = 0; i < from->n; i++)
		findings_add(f, VERDICT_PROVEN, "%s%s", prefix, from->text[i]);
	f->verdict = verdict_worst(f->verdict, from->verdict);
}
