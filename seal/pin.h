/*
 * pin.h - a PIN in memory, and the mark on disk that saves the card.
 *
 *	pin_read(&pin, "credential:seal", &e)   into a page of its own
 *	pin_read_pipe(&pin, fd, &e)             the same, from a person at a terminal
 *	pin_mark_check(fd, &permit, &e)         a mark is there: do not log in
 *	pin_mark_set(fd, serial, &e)            synced before every C_Login
 *	pin_mark_clear(fd, &e)                  the token took the PIN
 *	pin_wipe(&pin)                          as early as possible; twice is fine
 *
 * The page is locked into memory, left out of core dumps and wiped in a forked
 * child.  A PIN comes from "credential:NAME" (a file of that name below
 * $CREDENTIALS_DIRECTORY) or from "file:/PATH" (readable by its owner, us, and
 * by nobody else); or, where the settings say "login", through a pipe that
 * `sealroom token login` fills and the core hands on unread.  Never from a command
 * line, the environment or a message.
 *
 * Cards die after three wrong PINs, so a start never repeats what a start
 * before it did: the mark means "a login was begun and not known to be well".
 * It holds the token's serial number and the time.  Nothing of the PIN: a hash
 * of six digits is the six digits.  `sealroom token clear` replaces it by
 * TOKEN_PERMIT: a person allows one login.
 */
#ifndef SEALROOM_PIN_H
#define SEALROOM_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"

#define PIN_MIN 4
#define PIN_MAX 64

struct pin {
	uint8_t *page; /* NULL: none */
	size_t len;
};

/* -ERR_PIN_SOURCE, with the remedy. */
int pin_read(struct pin *ret, const char *source, struct err *);
/* Waits for the writer's end; the core has a deadline. */
int pin_read_pipe(struct pin *ret, int fd, struct err *);
void pin_wipe(struct pin *);

/* fd: state/tokens/NAME, read and write.  -ERR_PIN_STOPPED when it is marked; permit: see above. */
int pin_mark_check(int fd, bool *permit, struct err *);
int pin_mark_set(int fd, const char *serial, struct err *);
int pin_mark_clear(int fd, struct err *);

#endif
