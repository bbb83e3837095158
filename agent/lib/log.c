#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/log.h"

static const char *program = "sealroom";
static int to_journal = -1; /* stderr is journald's, which reads "<3>" */

void
log_open(const char *name)
{
	program = name;
	to_journal = !isatty(STDERR_FILENO);
}

void
log_show(const char *line, char *dst, size_t size)
{
	size_t at = 0;

	for (const unsigned char *p = (const unsigned char *)line; *p && at + 4 < size; p++) {
		if (*p < 0x20 || *p == 0x7F)
			at += (size_t)snprintf(dst + at, size - at, "%%%02X", *p);
		else
			dst[at++] = (char)*p;
	}
	dst[at] = '\0';
}

__attribute__((format(printf, 2, 0))) static void
log_write(int priority, const char *fmt, va_list ap)
{
	char line[1024], out[3 * sizeof(line) + 80];
	int n;
	size_t at;

	vsnprintf(line, sizeof(line), fmt, ap);
	if (to_journal)
		n = snprintf(out, sizeof(out), "<%d>%s: ", priority & 7, program);
	else
		n = snprintf(out, sizeof(out), "%s: ", program);
	at = (size_t)n;
	log_show(line, out + at, sizeof(out) - at - 1);
	at += strlen(out + at);
	out[at++] = '\n';
	/* nowhere left to say that stderr is gone */
	if (write(STDERR_FILENO, out, at) < 0)
		return;
}

void
log_line(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(priority, fmt, ap);
	va_end(ap);
}

void
log_err(int priority, const char *what, const struct err *e)
{
	log_line(priority, "%s: %s: %s", what, err_word(e->code), e->text);
}

bool
log_due(struct log_limit *state, uint64_t every_ms, int priority)
{
	uint64_t now = clock_ms();

	if (state->last != 0 && now - state->last < every_ms && priority > LOG_CRIT) {
		state->skipped++;
		return false;
	}
	if (state->skipped > 0)
		log_line(priority, "the next line was left out %u times", state->skipped);
	state->last = now;
	state->skipped = 0;
	return true;
}

void
log_limited(struct log_limit *state, uint64_t every_ms, int priority, const char *fmt, ...)
{
	va_list ap;

	if (!log_due(state, every_ms, priority))
		return;
	va_start(ap, fmt);
	log_write(priority, fmt, ap);
	va_end(ap);
}
