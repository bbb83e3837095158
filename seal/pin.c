#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/taskmsg.h"
#include "seal/pin.h"

#define PIN_PAGE 4096
#define MARK_MAX 256

/* --- where it comes from ---------------------------------------------------------------- */

/*
 * A credential is made by the service manager, mode 0400 of root with an access
 * list for the service's user; such a list shows as group bits in st_mode.
 */
static int
check_credential(const struct stat *st, const char *source, struct err *e)
{
	if (!S_ISREG(st->st_mode) || (st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & 0037) != 0)
		return err_set(e, ERR_PIN_SOURCE,
		    "%s: must be a file of root or of this user that no other user can read or change", source);
	return 0;
}

static int
check_file(const struct stat *st, const char *source, struct err *e)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || (st->st_mode & 0077) != 0)
		return err_set(e, ERR_PIN_SOURCE,
		    "%s: must be a file of user %u with mode 0400 (chown, chmod)", source, geteuid());
	return 0;
}

static int
open_credential(const char *name, const char *source, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	AUTO_FD at = -1;
	int fd;

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
		return err_set(e, ERR_PIN_SOURCE, "%s: a credential has a plain name", source);
	if (dir == NULL || *dir != '/')
		return err_set(e, ERR_PIN_SOURCE,
		    "%s: CREDENTIALS_DIRECTORY is not set; give the unit LoadCredential=%s:FILE", source, name);
	if ((at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    (fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_PIN_SOURCE, "%s: no such credential", source);
	return fd;
}

static int
open_source(const char *source, struct err *e)
{
	bool credential = strncmp(source, "credential:", 11) == 0;
	struct stat st;
	int r;
	AUTO_FD fd = -1;

	if (credential) {
		fd = open_credential(source + 11, source, e);
	} else if (strncmp(source, "file:/", 6) == 0) {
		if ((fd = open(source + 5, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0)
			return err_sys(e, ERR_PIN_SOURCE, "%s", source);
	} else {
		return err_set(e, ERR_PIN_SOURCE, "a PIN comes from credential:NAME or file:/PATH");
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_PIN_SOURCE, "%s", source);
	r = credential ? check_credential(&st, source, e) : check_file(&st, source, e);
	return r < 0 ? r : take_fd(&fd);
}

/* --- the page --------------------------------------------------------------------------- */

static int
page_new(uint8_t **ret, struct err *e)
{
	void *p = mmap(NULL, PIN_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, ERR_MEM, "memory for the PIN");
	if (mlock(p, PIN_PAGE) < 0 || madvise(p, PIN_PAGE, MADV_DONTDUMP) < 0 ||
	    madvise(p, PIN_PAGE, MADV_WIPEONFORK) < 0) {
		int r = err_sys(e, ERR_PIN_SOURCE, "memory for the PIN can not be protected (LimitMEMLOCK)");

		munmap(p, PIN_PAGE);
		return r;
	}
	*ret = p;
	return 0;
}

/* Straight into the page: no stdio, no copy.  One byte more shows a file that is too long. */
static int
fill(struct pin *pin, int fd, const char *source, struct err *e)
{
	size_t room = PIN_MAX + 3, n = 0;
	ssize_t got;

	while (n < room && (got = read(fd, pin->page + n, room - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return err_sys(e, ERR_PIN_SOURCE, "%s", source);
		if (got > 0)
			n += (size_t)got;
	}
	if (n > 0 && pin->page[n - 1] == '\n')
		n--;
	if (n > 0 && pin->page[n - 1] == '\r')
		n--;
	for (size_t i = 0; i < n; i++)
		if (pin->page[i] < 0x20 || pin->page[i] == 0x7F)
			return err_set(e, ERR_PIN_SOURCE, "%s: must hold the PIN on one line and nothing else", source);
	if (n == 0)
		return err_set(e, ERR_PIN_SOURCE, "%s: is empty; let the file that it comes from hold the PIN (a unit's: LoadCredential=)", source);
	if (n < PIN_MIN || n > PIN_MAX)
		return err_set(e, ERR_PIN_SOURCE, "%s: a PIN has %d to %d characters", source, PIN_MIN, PIN_MAX);
	pin->len = n;
	return 0;
}

static int
read_from(struct pin *ret, int fd, const char *source, struct err *e)
{
	struct pin pin = { 0 };
	int r;

	if ((r = page_new(&pin.page, e)) < 0)
		return r;
	if ((r = fill(&pin, fd, source, e)) < 0) {
		pin_wipe(&pin);
		return r;
	}
	*ret = pin;
	return 0;
}

int
pin_read(struct pin *ret, const char *source, struct err *e)
{
	AUTO_FD fd = open_source(source, e);

	return fd < 0 ? fd : read_from(ret, fd, source, e);
}

int
pin_read_pipe(struct pin *ret, int fd, struct err *e)
{
	return read_from(ret, fd, "the PIN that was given", e);
}

void
pin_wipe(struct pin *pin)
{
	if (pin->page == NULL)
		return;
	explicit_bzero(pin->page, PIN_PAGE);
	munmap(pin->page, PIN_PAGE);
	*pin = (struct pin){ 0 };
}

/* --- the mark --------------------------------------------------------------------------- */

int
pin_mark_check(int fd, bool *permit, struct err *e)
{
	char text[MARK_MAX];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return err_sys(e, ERR_IO, "PIN mark");
	text[n] = '\0';
	*permit = strcmp(text, TOKEN_PERMIT) == 0;
	if (n == 0 || *permit)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return err_set(e, ERR_PIN_STOPPED,
	    "stopped: a login was refused or broke off (%s); check the PIN, then: sealroom token clear", text);
}

int
pin_mark_set(int fd, const char *serial, struct err *e)
{
	char text[MARK_MAX], now[CLOCK_ISO_MAX];
	int n, r;

	clock_iso(clock_wall_us(), now);
	n = snprintf(text, sizeof(text), "token %s at %s\n", serial, now);
	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(e, ERR_TOKEN_FAULT, "serial number of the token is too long");
	if (ftruncate(fd, 0) < 0)
		return err_sys(e, ERR_IO, "PIN mark");
	if ((r = io_pwrite_full(fd, text, (size_t)n, 0, e)) == 0)
		r = io_sync(fd, e);
	/* no login was begun, so nothing may stop the next start; a mark that stays all the same, a person clears */
	if (r < 0 && ftruncate(fd, 0) < 0)
		e->code = ERR_PIN_STOPPED;
	return r < 0 ? -(int)e->code : 0;
}

int
pin_mark_clear(int fd, struct err *e)
{
	if (ftruncate(fd, 0) < 0)
		return err_sys(e, ERR_IO, "PIN mark");
	return io_sync(fd, e);
}
