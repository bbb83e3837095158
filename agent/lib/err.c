#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/lib/err.h"
#include "agent/lib/path.h"

static const struct {
	const char *word;
	enum err_class class;
} codes[ERR_CODE_COUNT] = {
	[ERR_OK] = { "ok", ERR_CLASS_RETRY },
#define X(code, cls, name) [code] = { name, ERR_CLASS_##cls },
	ERR_CODES(X)
#undef X
};

__attribute__((format(printf, 3, 0))) static void
err_text(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	utf8_scrub(e->text);
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_text(e, code, fmt, ap);
	va_end(ap);
	return -(int)code;
}

int
err_sys(struct err *e, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t n;

	if (saved == ENOSPC || saved == EDQUOT)
		code = ERR_SPACE;
	else if (saved == ENOMEM)
		code = ERR_MEM;
	va_start(ap, fmt);
	err_text(e, code, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(saved));
	errno = saved;
	return -(int)code;
}

enum err_class
err_class(enum err_code code)
{
	return err_code_valid((uint32_t)code) ? codes[code].class : ERR_CLASS_STOP;
}

const char *
err_word(enum err_code code)
{
	return (uint32_t)code < ERR_CODE_COUNT ? codes[code].word : "unknown";
}

enum err_code
err_code_by_word(const char *word)
{
	for (int i = 1; i < ERR_CODE_COUNT; i++)
		if (strcmp(codes[i].word, word) == 0)
			return (enum err_code)i;
	return ERR_OK;
}

bool
err_code_valid(uint32_t code)
{
	return code > ERR_OK && code < ERR_CODE_COUNT;
}
