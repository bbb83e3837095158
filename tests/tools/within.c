/*
 * within.c - run a command for at most so many seconds, and leave nothing behind.
 *
 *	within SECONDS COMMAND [ARGUMENT...]
 *
 * The command gets a session of its own.  This process is the subreaper of all
 * that descends from it, so whatever is still there at the end is found by its
 * parent and killed by its own pid, never by a name.  Exit: the command's
 * status; 128 + signal; 124 when the time was over; 125 when it left processes
 * behind although it said 0 (they are named on stderr).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Parent and name of a process, from /proc/PID/stat; 0 when it is gone. */
static pid_t
parent_of(pid_t pid, char name[static 64])
{
	char path[64], line[512], *open_paren, *close_paren;
	FILE *f;
	int ppid = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!(f = fopen(path, "re")))
		return 0;
	if (fgets(line, sizeof line, f) && (open_paren = strchr(line, '(')) &&
	    (close_paren = strrchr(line, ')'))) {
		*close_paren = '\0';
		snprintf(name, 64, "%s", open_paren + 1);
		if (sscanf(close_paren + 1, " %*c %d", &ppid) != 1)
			ppid = 0;
	}
	fclose(f);
	return ppid;
}

/* Kills every child of this process; returns how many were still alive. */
static int
kill_children(bool say)
{
	struct dirent *d;
	char name[64] = "";
	int alive = 0;
	DIR *proc = opendir("/proc");

	while (proc && (d = readdir(proc))) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid <= 0 || parent_of(pid, name) != getpid())
			continue;
		if (say)
			fprintf(stderr, "# left running: %d %s\n", (int)pid, name);
		kill(pid, SIGKILL);
		alive++;
	}
	if (proc)
		closedir(proc);
	return alive;
}

/* Reaps what has ended; true once 'command' is among it. */
static bool
reap(pid_t command, int *status)
{
	bool ended = false;
	pid_t pid;
	int st;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		if (pid == command) {
			*status = st;
			ended = true;
		}
	return ended;
}

/* Kills descendants generation by generation until none is left. */
static int
sweep(bool say)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	int left = 0, round = 0, alive;

	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		alive = kill_children(say);
		left += alive;
		nanosleep(&pause, NULL);
	} while (alive > 0 && ++round < 250);
	return left;
}

static pid_t
start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		setsid();
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[0], argv);
		fprintf(stderr, "within: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

int
main(int argc, char **argv)
{
	struct timespec limit = { 0 };
	sigset_t set;
	time_t end;
	pid_t command;
	int status = 0, got = 0, left;
	bool ended = false;

	if (argc < 3 || (limit.tv_sec = strtol(argv[1], NULL, 10)) <= 0) {
		fprintf(stderr, "usage: within SECONDS COMMAND [ARGUMENT...]\n");
		return 64;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	end = time(NULL) + limit.tv_sec;
	if ((command = start(argv + 2)) < 0)
		return 71;
	while (!(ended = reap(command, &status))) {
		limit.tv_sec = end - time(NULL);
		if (limit.tv_sec <= 0 || ((got = sigtimedwait(&set, NULL, &limit)) > 0 && got != SIGCHLD))
			break;
	}
	/* A daemon told to stop may need a moment to see its children off. */
	for (int i = 0; ended && i < 100 && waitpid(-1, NULL, WNOHANG) == 0; i++)
		nanosleep(&(struct timespec){ 0, 10 * 1000 * 1000 }, NULL);
	left = sweep(ended);
	if (!ended)
		return got > 0 && got != SIGCHLD ? 128 + got : 124;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status) == 0 && left > 0 ? 125 : WEXITSTATUS(status);
}
