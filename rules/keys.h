/*
 * keys.h - the table of all settings: name, type, bounds, default, meaning.
 *
 * conf.c reads a file by it, `sealroom check --show` prints by it, and a test
 * holds sealroom.conf(5) against it.  A key that is not here does not exist.
 * Private to rules/ and its tests.
 */
#ifndef SEALROOM_KEYS_H
#define SEALROOM_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "rules/conf.h"

enum key_type {
	KEY_TEXT,    /* const char *; max: longest, bytes */
	KEY_PATH,    /* const char *, made absolute */
	KEY_CHOICE,  /* const char *, one of the words */
	KEY_WORD,    /* 32-bit enum: index of the word plus min */
	KEY_SWITCH,  /* bool: the second of two words */
	KEY_BOOL,    /* bool */
	KEY_NUMBER,  /* uint32_t */
	KEY_NUMBER64,
	KEY_LENGTH,  /* int32_t, mpt; min and max in mm */
	KEY_PAIR,    /* two lengths in a row: x, y */
	KEY_TIME,    /* uint64_t, ms */
	KEY_SIZE,    /* uint64_t, bytes */
	KEY_MODE,    /* mode_t */
	KEY_PAGES,   /* struct conf_pages */
	KEY_TEXTS,   /* struct strings; max: most entries */
	KEY_OWN,     /* as its key_own says */
	KEY_GROUP,   /* a group of fixed keys */
	KEY_NAMED,   /* groups by name */
};

struct conf_reader; /* confint.h */

/* A type of one key.  set() returns NULL, or what is wrong and the remedy. */
struct key_own {
	const char *wants; /* "a word, \"first\" ..." for type errors */
	const char *(*set)(struct conf_reader *, void *at, const char *text);
	void (*text)(const void *at, char *dst, size_t size);
};

struct conf_key;

struct key_group {
	const struct conf_key *keys;
	size_t present;   /* offset of a bool set when the group is there; NOWHERE: it always counts as there */
	const char *word; /* a text that may stand instead of the group; NULL: none */
	size_t word_at;   /* offset of the bool that it sets */
};
#define NOWHERE SIZE_MAX

struct key_named {
	const struct conf_key *keys;
	size_t size;      /* of one element, which starts with struct conf_named */
	size_t count;     /* offset of the size_t beside the pointer */
	size_t most;
};

struct conf_named { /* how every named group begins */
	const char *name;
	struct conf_where where;
};

struct conf_key {
	const char *name;
	enum key_type type;
	size_t at;
	int64_t min, max;
	const char *fallback; /* default as text, lists with '|'; NULL: must be given; "": nothing */
	const char *help;
	const void *more;     /* by type: words (const char *const *), key_own, key_group or key_named */
};

extern const struct conf_key conf_keys[]; /* the root; ends with name NULL */

/* Calls back for every key below 'keys', groups included, with its full name ("folders.NAME.settle"). */
typedef void keys_visit(void *ctx, const char *path, const struct conf_key *);
void keys_walk(keys_visit *, void *ctx);
/* The key whose name is nearest to an unknown one; NULL when none is near. */
const char *keys_near(const struct conf_key *, const char *name);

#endif
