/*
 * ere.h - a POSIX extended regular expression from the settings.
 *
 * glibc takes "\d" for a literal d, "\1" makes matching take exponential time, loops of
 * what can be nothing do so to compiling, and big counts make it take gigabytes; all of
 * these are refused with the place and the remedy.
 */
#ifndef SEALROOM_ERE_H
#define SEALROOM_ERE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define ERE_MAX 200    /* bytes of an expression */
#define ERE_TEXT 2048  /* bytes of a line it is tried on */

/* false: why says what is wrong. */
bool ere_check(const char *text, char *why, size_t size);
bool ere_compile(regex_t *, const char *text, char *why, size_t size);
/*
 * The first match in text that neither starts nor ends inside a word; with a
 * group, the group's part.  A hyphen between letters or digits, and . , / :
 * between digits, are inside: part of "RE-17" or of a date is no value.
 */
bool ere_find(const regex_t *, const char *text, size_t *ret_from, size_t *ret_to);

#endif
