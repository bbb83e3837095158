/*
 * known.c - a program with a known number of durable calls, to prove the tracer.
 *
 * In the directory given it does, over two processes: mkdir d, create d/a,
 * write, fsync (child, not dumpable), link by O_TMPFILE, rename, unlink, sync of
 * the directory.  Calls on /dev/null, on pipes and opens to read do not count.
 * A failing call is reported by its number among these and ends the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int step;

static int
must(int r)
{
	step++;
	if (r < 0) {
		printf("failed %d: %s\n", step, strerror(errno));
		exit(3);
	}
	return r;
}

static void
child(void)
{
	char data[10] = "0123456789";
	int fd;

	prctl(PR_SET_DUMPABLE, 0);
	fd = must(open("d/a", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)); /* 2 */
	must((int)write(fd, data, sizeof data));                               /* 3 */
	must(fsync(fd));                                                       /* 4 */
	exit(0);
}

static void
parent(void)
{
	int dir, fd;

	dir = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = must(openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));   /* 5 */
	must((int)pwrite(fd, "x", 1, 0));                                      /* 6 */
	must(linkat(AT_FDCWD, "/proc/self/fd/4", dir, "b", AT_SYMLINK_FOLLOW)); /* 7 */
	must(renameat(dir, "b", dir, "c"));                                    /* 8 */
	must(unlinkat(dir, "a", 0));                                           /* 9 */
	must(fsync(dir));                                                      /* 10 */
}

int
main(int argc, char **argv)
{
	int status, null, p[2];
	pid_t pid;

	if (argc != 2 || chdir(argv[1]) < 0)
		return 64;
	must(mkdir("d", 0700)); /* 1 */
	fflush(stdout);
	if ((pid = fork()) == 0)
		child();
	waitpid(pid, &status, 0);
	if (status != 0)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
	parent();
	if (pipe(p) < 0 || (null = open("/dev/null", O_WRONLY)) < 0 || write(p[1], "x", 1) != 1 ||
	    write(null, "x", 1) != 1)
		return 1;
	return 0;
}
