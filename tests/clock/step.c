/*
 * step.c - a clock that steps, for one program: preloaded, it moves the wall
 * clock of sealroomd by the seconds that stand in the file $CLOCK_STEP, and time
 * itself, for all its clocks, by those in $CLOCK_PASS: as if it had slept for so
 * long.  No other program sees that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long
seconds(const char *variable)
{
	const char *path = getenv(variable);
	char text[32];
	long s = 0;
	ssize_t n;
	int fd;

	if (path == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	if ((n = read(fd, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		s = strtol(text, NULL, 10);
	}
	close(fd);
	return s;
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, id, t), saved = errno;

	if (r < 0 || strcmp(program_invocation_short_name, "sealroomd") != 0)
		return r;
	if (id == CLOCK_REALTIME)
		t->tv_sec += seconds("CLOCK_STEP");
	if (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME)
		t->tv_sec += seconds("CLOCK_PASS");
	errno = saved;
	return 0;
}
