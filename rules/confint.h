/*
 * confint.h - what the files of the settings share: reader state, problems,
 * memory.  Private to rules/conf*.c, rules/keys.c and rules/ere.c.
 */
#ifndef SEALROOM_CONFINT_H
#define SEALROOM_CONFINT_H

#include <libconfig.h>
#include <stdbool.h>

#include "rules/conf.h"
#include "rules/keys.h"

#define CONF_FILE_MAX (1024 * 1024)

struct conf_reader {
	struct conf *c;
	const char *file;  /* name for messages; owned by the conf */
	const char *dir;   /* relative paths start here; NULL: only absolute ones */
	bool oom;          /* memory ended: everything read so far is thrown away */
	char key[256];     /* full name of the key being read */
	unsigned line;
	char why[256];     /* room for a key_own.set() answer */
};

/* conf.c: memory that lives as long as the conf. NULL sets r->oom. */
void *conf_alloc(struct conf_reader *, size_t);
char *conf_dup(struct conf_reader *, const char *);

/* conf_problem.c */
void problems_clear(const struct conf *); /* it gives the language, and places of keys, while it is read */
/*
 * A text that begins with a key ("rules.x.name: ...") is said of that key's own line, where it is given,
 * else of 'where'.
 */
void problem_add(const struct conf_where *, bool warning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problems_sort(const char *main_file);
/* A mistake just where the reader is. */
void problem_here(const struct conf_where *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same words in the language of the settings; N_() marks them elsewhere. */
const char *problem_words(const char *english) __attribute__((format_arg(1)));
size_t problems_errors(const struct conf_problem **first);

/* conf_file.c */
/* Owner, mode and kind are checked. -1 or NULL: a problem is noted. The text is malloc'ed. */
int conf_dir_open(int at, const char *path, const char *shown);
char *conf_file_read(int dir, const char *name, const char *shown);
/* libconfig's tree of a text; false with a problem noted. */
bool conf_file_parse(config_t *, const char *text, const char *shown);

/* conf_read.c: one file's tree into r->c, problems noted. */
void conf_read_main(struct conf_reader *, const config_setting_t *root);
void conf_read_folders(struct conf_reader *, const config_setting_t *root); /* a file of folders.d */
/* Absolute and without "." and ".."; NULL: r->why says what is wrong. */
const char *conf_path(struct conf_reader *, const char *text);

/* conf_check.c: resolves names to pointers and looks for contradictions. */
void conf_resolve(struct conf_reader *);
void conf_check(const struct conf *);
/* conf_doubt.c: what works, but hardly as meant. */
void conf_doubt(const struct conf *);

/* conf_text.c */
int conf_hashes(struct conf *, struct err *);

#endif
