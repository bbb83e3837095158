/*
 * messages.h - what people of a hot folder read, in their language.
 *
 *	message_open(NULL)                          once; finds the catalogues
 *	message_make("de", &why, word, &m)         two sentences
 *
 * English is the source and stands in messages.c with gettext's marks; other
 * languages are agent/po/<language>.po, compiled to locale/<language>/
 * LC_MESSAGES/sealroom.mo beside the programs of a build, below
 * /usr/share/locale when installed.  No locale of that language needs to be
 * installed: message_get() goes to C.UTF-8 and chooses by LANGUAGE (gettext(3),
 * "The LANGUAGE variable").  An unknown language or a missing catalogue is
 * English.
 */
#ifndef SEALROOM_MESSAGES_H
#define SEALROOM_MESSAGES_H

#include <stddef.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/spool.h"

#define MESSAGE_MAX 1200

/* dir: of the catalogues; NULL: $SEALROOM_LOCALE, beside the program, installed. */
void message_open(const char *dir);

/* N_() of err.h marks a text for xgettext; message_get() translates it. */
const char *message_get(const char *language, const char *english) __attribute__((format_arg(2)));

/* Every code of class REJECT and HOLD has its own sentences; others say that the fault is ours. */
struct message {
	char what[MESSAGE_MAX];  /* what happened */
	char where[MESSAGE_MAX]; /* on which page; "" for the document as a whole */
	char now[MESSAGE_MAX];   /* what to do now */
};
/* word: the words looked for, or the value's name; "" or NULL for none. */
void message_make(const char *language, const struct err *why, const char *word, struct message *ret);

enum message_kind { MESSAGE_REFUSED, MESSAGE_HELD };
/*
 * The whole text of NAME.txt: lines of at most 76 characters ending CRLF, UTF-8
 * without a byte order mark (every Notepad since 2001 knows it without; other
 * programs show the mark as rubbish).  say: a rule's or a person's own
 * sentence, shown as a remark; "" or NULL.
 */
int message_file(struct buf *ret, enum message_kind, const char *language, const struct claim *,
    const struct err *why, const char *word, const char *say, struct err *);

#endif
