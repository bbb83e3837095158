#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/clock.h"

uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int
clock_boot_id(char out[CLOCK_BOOT_LEN + 1])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, out, CLOCK_BOOT_LEN);
	close(fd);
	out[CLOCK_BOOT_LEN] = '\0';
	return n == CLOCK_BOOT_LEN ? 0 : -1;
}

/* Euclidean split, so that times before 1970 (a file's mtime) come out right. */
static int
split(int64_t us, struct tm *tm)
{
	int64_t frac = us % 1000000;
	time_t s;

	if (frac < 0)
		frac += 1000000;
	s = (time_t)((us - frac) / 1000000);
	if (gmtime_r(&s, tm) == NULL || tm->tm_year > 8099 || tm->tm_year < -1900)
		memset(tm, 0, sizeof(*tm));
	return (int)frac;
}

void
clock_iso_us(int64_t us, char out[CLOCK_ISO_MAX])
{
	struct tm tm;
	int frac = split(us, &tm);
	size_t n = strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(out + n, CLOCK_ISO_MAX - n, ".%06dZ", frac);
}

void
clock_iso(int64_t us, char out[CLOCK_ISO_MAX])
{
	struct tm tm;

	split(us, &tm);
	strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void
clock_compact(int64_t us, char out[CLOCK_ISO_MAX])
{
	struct tm tm;

	split(us, &tm);
	strftime(out, CLOCK_ISO_MAX, "%Y%m%d%H%M%SZ", &tm);
}

int
clock_parse_iso(const char *s, int64_t *ret_us)
{
	struct tm tm = { 0 };
	const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t us = 0;

	if (p == NULL)
		return -1;
	if (*p == '.') {
		int digits = 0;

		for (p++; *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
			us = us * 10 + (*p - '0');
		if (digits != 6)
			return -1;
	}
	if (strcmp(p, "Z") != 0)
		return -1;
	*ret_us = (int64_t)timegm(&tm) * 1000000 + us;
	return 0;
}
