/*
 * step.c - a clock that steps, for one program: preloaded, it moves the wall
 * clock of sealroomd by the seconds that stand in $CLOCK_STEP.  Nothing else of
 * the clock moves, and no other program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *t)
{
	const char *path = getenv("CLOCK_STEP");
	int r = (int)syscall(SYS_clock_gettime, id, t), saved = errno, fd;
	char text[32];
	ssize_t n;

	if (r < 0 || id != CLOCK_REALTIME || path == NULL || strcmp(program_invocation_short_name, "sealroomd") != 0)
		return r;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		if ((n = read(fd, text, sizeof(text) - 1)) > 0) {
			text[n] = '\0';
			t->tv_sec += strtol(text, NULL, 10);
		}
		close(fd);
	}
	errno = saved;
	return 0;
}
