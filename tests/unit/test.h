/*
 * test.h - TAP in a few lines: CHECK counts, prints, and lets the test go on.
 */
#ifndef SEALROOM_TEST_H
#define SEALROOM_TEST_H

#include <stdarg.h>
#include <stdio.h>

static int test_count, test_failed;

__attribute__((format(printf, 4, 5))) static inline int
test_check(int ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++test_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!ok) {
		test_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	return ok;
}

#define CHECK(cond, ...) test_check(!!(cond), __FILE__, __LINE__, __VA_ARGS__)
/* Last statement of main(). */
#define TEST_DONE() (printf("1..%d\n", test_count), fflush(stdout), test_failed != 0)

#endif
