/*
 * rules.h - words in, decision out.  Pure: no file, no clock, no process.
 *
 *	rules_decide(conf, folder, doc, force, ret, trace, &e)
 *
 * The first rule of the folder whose `when` holds decides; its finds, place and
 * name are evaluated; doubt is a hold with an err_code, never a guess.  The
 * same function serves the daemon, `sealroom try`, tests and fuzzers.
 */
#ifndef SEALROOM_RULES_H
#define SEALROOM_RULES_H

#include <jansson.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"
#include "rules/ink.h"
#include "rules/pagefile.h"

struct page_words {
	int32_t width, height; /* mpt, reader's view */
	uint32_t nwords, ncodes;
	const struct word *words; /* the codes behind them; NULL where there are any: doc_words.words has them */
};

/* Where a signature field stands; seen 0: nowhere. */
struct doc_field {
	uint32_t page, seen;
	struct box box;
};

struct doc_words {
	uint32_t npages;
	const struct page_words *pages;
	const char *source_name; /* for {name} in result names; UTF-8 */
	int64_t received_us;
	/*
	 * Words and codes of a page that are not kept in 'pages', when a rule looks at it:
	 * as many, records and texts in one block that the rules free.
	 */
	int (*words)(void *ctx, uint32_t page, struct word **ret, struct err *);
	/*
	 * The ink of a page, asked for only where a seal could go; the rules free it.
	 * A map with square 0, or no function: not known, and no place is too dark.
	 */
	int (*ink)(void *ctx, uint32_t page, struct ink *ret, struct err *);
	/*
	 * An empty signature field, by its full name; no function: the document has none.
	 * -ERR_FIELD: none of that name, or one that must not be filled.
	 */
	int (*field)(void *ctx, const char *name, struct doc_field *ret, struct err *);
	void *ctx;
};

/*
 * Fills all of *ret but pages, len.  A hold is not an error: returns 0 with
 * ret->hold set.  trace, when not NULL, receives a JSON array with one object
 * a rule: name, matched, why, finds, anchors, place.
 */
int rules_decide(const struct conf *, const struct conf_folder *, const struct doc_words *,
    const struct compose_params *force, struct compose_result *ret, json_t *trace, struct err *);

/* A template value source: returns NULL for an unknown variable. */
typedef const char *name_lookup(void *ctx, const char *variable, const char *format);

/*
 * Expands "{variable}" and "{variable:format}" in tmpl; unknown variable:
 * -ERR_CONF.  "{{" is "{".  What is longer than dst is cut at a whole character.
 */
int name_expand(const char *tmpl, name_lookup *, void *ctx, char *dst, size_t size, struct err *);
/* Formats for times: "long", a date as people write it, or %Y %m %d %H %M %S %y %j %F %R %T %% and plain characters. */
bool name_time_valid(const char *format);
/* Local time; a NULL format is "%Y-%m-%d %H:%M"; language: of "long", "de" or English. false: format not valid, or too long. */
bool name_time(int64_t us, const char *format, const char *language, char *dst, size_t size);
/* Does a name fit a pattern with * and ?, all of it? Both folded (fold.h); time grows with their product. */
bool name_fits(const char *pattern, const char *name);
/*
 * Makes a file name that Windows, macOS and Linux can show: no controls, none
 * of <>:"/\|?*, no reserved device name, no trailing dot or blank, NFC left as
 * it is, at most 200 bytes with its suffix kept.
 */
void name_legal(const char *in, char *dst, size_t size);

#endif
