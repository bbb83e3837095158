/*
 * sealroom token login NAME - a person gives a token its PIN.
 *
 * The PIN goes from the terminal through a pipe to sealroom-seal; the daemon
 * hands the pipe on unread.  It is never an argument, in the environment or in a
 * file.  Here it lies in one locked page, until it is in the pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/cmd.h"
#include "agent/control.h"

#define PAGE 4096
#define PIN_LONGEST 64
#define LOGIN_MS 150000 /* a token may think for long; the daemon gives up at two minutes */

enum { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_KILL = 21, KEY_DELETE = 127 };

/* Byte by byte, because with signals and line editing off an interrupt leaves no terminal without echo behind. */
static int
read_keys(int fd, char *pin, size_t *ret, struct err *e)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t got = read(fd, &c, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || c == KEY_INTERRUPT)
			return err_set(e, ERR_USAGE, "given up; nothing was tried");
		if (c == '\r' || c == '\n' || c == KEY_END)
			break;
		if ((c == KEY_BACKSPACE || c == KEY_DELETE) && n > 0)
			n--;
		else if (c == KEY_KILL)
			n = 0;
		else if ((unsigned char)c >= 0x20 && c != KEY_DELETE && n++ < PIN_LONGEST)
			pin[n - 1] = c;
	}
	*ret = n;
	return 0;
}

static int
read_terminal(int tty, const char *token, char *pin, size_t *ret, struct err *e)
{
	struct termios before, silent;
	int r;

	if (tcgetattr(tty, &before) < 0)
		return err_sys(e, ERR_IO, "terminal");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return err_sys(e, ERR_IO, "terminal");
	dprintf(tty, "PIN of token %s: ", token);
	r = read_keys(tty, pin, ret, e);
	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return r;
}

/* For a program that asks instead, such as systemd-ask-password: one line on standard input. */
static int
read_stdin(char *pin, size_t *ret, struct err *e)
{
	size_t n = 0;
	ssize_t got;

	while (n < PIN_LONGEST + 2 && (got = read(STDIN_FILENO, pin + n, PIN_LONGEST + 2 - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return err_sys(e, ERR_IO, "standard input");
		n += got > 0 ? (size_t)got : 0;
	}
	if (n > 0 && pin[n - 1] == '\n')
		n--;
	*ret = n;
	return 0;
}

/* The reading end of a pipe that holds the PIN and then ends. */
static int
pin_pipe(const char *token, bool from_stdin, struct err *e)
{
	char *pin = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	AUTO_FD tty = -1, in = -1, out = -1;
	int p[2], r;
	size_t n = 0;

	if (pin == MAP_FAILED || mlock(pin, PAGE) < 0 || madvise(pin, PAGE, MADV_DONTDUMP) < 0)
		return err_sys(e, ERR_MEM, "memory for the PIN");
	if (from_stdin)
		r = read_stdin(pin, &n, e);
	else if ((tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
		r = err_set(e, ERR_USAGE, "there is no terminal to ask at; see --stdin");
	else
		r = read_terminal(tty, token, pin, &n, e);
	if (r == 0 && (n == 0 || n > PIN_LONGEST))
		r = err_set(e, ERR_USAGE, "a PIN has 1 to %d characters; nothing was tried", PIN_LONGEST);
	if (r == 0 && pipe2(p, O_CLOEXEC) < 0)
		r = err_sys(e, ERR_IO, "pipe");
	if (r == 0) {
		in = p[0];
		out = p[1];
		r = io_write_full(out, pin, n, e);
	}
	explicit_bzero(pin, PAGE);
	munmap(pin, PAGE);
	return r < 0 ? r : take_fd(&in);
}

int
cmd_token_login(struct cmd_args *a, const struct conf *conf, const char *name, bool from_stdin)
{
	struct err e = { 0 };
	json_t *answer = NULL;
	AUTO_FD pin = -1;

	if (conf_token(conf, name) == NULL) {
		err_set(&e, ERR_USAGE, "the settings have no token of that name; see: sealroom token list");
		return cmd_fail(a, &e);
	}
	if ((pin = pin_pipe(name, from_stdin, &e)) < 0)
		return cmd_fail(a, &e);
	if (control_ask_fd(conf->control, json_pack("{s:s, s:s}", "op", "token-login", "token", name), pin, LOGIN_MS, &answer,
	        &e) < 0)
		return cmd_fail_ask(a, &e);
	if (a->json)
		return cmd_json(answer);
	json_decref(answer);
	printf("token %s is ready\n", name);
	return cmd_done(EX_OK);
}
