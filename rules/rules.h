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
#include "rules/pagefile.h"

struct page_words {
	int32_t width, height; /* mpt, reader's view */
	uint32_t nwords;
	const struct word *words;
};

struct doc_words {
	uint32_t npages;
	const struct page_words *pages;
	const char *source_name; /* for {name} in result names; UTF-8 */
	int64_t received_us;
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
/* Formats for times: %Y %m %d %H %M %S %y %j %F %R %T %% and plain characters. */
bool name_time_valid(const char *format);
/* Local time; a NULL format is "%Y-%m-%d %H:%M". false: format not valid, or too long. */
bool name_time(int64_t us, const char *format, char *dst, size_t size);
/*
 * Makes a file name that Windows, macOS and Linux can show: no controls, none
 * of <>:"/\|?*, no reserved device name, no trailing dot or blank, NFC left as
 * it is, at most 200 bytes with its suffix kept.
 */
void name_legal(const char *in, char *dst, size_t size);

#endif
