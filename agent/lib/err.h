/*
 * err.h - one error type; its class decides the fate of a job.
 *
 * Functions return 0 or -code, and take a struct err * as last argument.
 * Whoever first sees a failure words it; others pass it up; only a process
 * loop or main() logs it.  The text is English, one line, and never holds a
 * secret or an unescaped file name.  What an operator reads is made from the
 * code by agent/messages.c, in the language of the settings.
 */
#ifndef SEALROOM_ERR_H
#define SEALROOM_ERR_H

#include <stdbool.h>
#include <stdint.h>

enum err_class {
	ERR_CLASS_RETRY,  /* put the job back, try again after a pause */
	ERR_CLASS_REJECT, /* this document can never pass: error/ */
	ERR_CLASS_HOLD,   /* a person must decide: held/ */
	ERR_CLASS_STOP,   /* stop sealing and call the admin */
};

/* clang-format off */
#define ERR_CODES(X) /* code, class, word in logs, results and manual pages */ \
	X(ERR_IO,             RETRY,  "io") \
	X(ERR_SPACE,          RETRY,  "no-space") \
	X(ERR_MEM,            RETRY,  "no-memory") \
	X(ERR_CHILD,          RETRY,  "child-lost") \
	X(ERR_DOC_EMPTY,      REJECT, "document-empty") \
	X(ERR_DOC_INCOMPLETE, REJECT, "document-incomplete") \
	X(ERR_DOC_BAD,        REJECT, "document-damaged") \
	X(ERR_DOC_TYPE,       REJECT, "document-type-unknown") \
	X(ERR_DOC_ENCRYPTED,  REJECT, "document-encrypted") \
	X(ERR_DOC_SYMBOLS,    REJECT, "symbol-coding") \
	X(ERR_DOC_XFA,        REJECT, "document-xfa") \
	X(ERR_DOC_PIXELS,     REJECT, "page-too-large") \
	X(ERR_DOC_PAGES,      REJECT, "too-many-pages") \
	X(ERR_DOC_SIZE,       REJECT, "document-too-large") \
	X(ERR_DOC_RESOLUTION, REJECT, "resolution-missing") \
	X(ERR_DOC_CRASH,      REJECT, "reader-crashed") \
	X(ERR_DOC_TIMEOUT,    REJECT, "reader-timeout") \
	X(ERR_DOC_REFUSED,    REJECT, "refused-by-person") \
	X(ERR_DOC_WITHDRAWN,  REJECT, "withdrawn") \
	X(ERR_OWNER,          REJECT, "owner-not-allowed") \
	X(ERR_TICKET_MISSING, REJECT, "ticket-missing") \
	X(ERR_TICKET_BAD,     REJECT, "ticket-invalid") \
	X(ERR_TICKET_OTHER,   REJECT, "ticket-of-other-bytes") \
	X(ERR_TICKET_RIGHT,   REJECT, "ticket-exceeds-rights") \
	X(ERR_TICKET_ALONE,   REJECT, "ticket-without-document") \
	X(ERR_TICKET_UNWANTED, REJECT, "ticket-not-accepted") \
	X(ERR_DECISION_NONE,  REJECT, "decision-without-document") \
	X(ERR_DECISION_RIGHT, REJECT, "decision-not-allowed") \
	X(ERR_REFERENCE,      REJECT, "reference-used") \
	X(ERR_DUP_REFUSED,    REJECT, "duplicate-refused") \
	X(ERR_DUPLICATE,      HOLD,   "duplicate") \
	X(ERR_TICKET_HOLD,    HOLD,   "held-by-ticket") \
	X(ERR_DOC_SIGNED,     HOLD,   "document-signed") \
	X(ERR_DOC_LOCKED,     HOLD,   "document-locked") \
	X(ERR_DOC_SIG_BROKEN, HOLD,   "document-signature-broken") \
	X(ERR_DOC_CHANGED,    HOLD,   "document-changed") \
	X(ERR_DOC_FOREIGN,    HOLD,   "document-unreadable") \
	X(ERR_DOC_ACTIVE,     HOLD,   "document-active") \
	X(ERR_FONT,           HOLD,   "font-missing") \
	X(ERR_DOC_BLANK,      HOLD,   "all-pages-blank") \
	X(ERR_DOC_QUALITY,    HOLD,   "scan-quality") \
	X(ERR_RULE_NONE,      HOLD,   "no-rule-applies") \
	X(ERR_RULE_HOLD,      HOLD,   "held-by-rule") \
	X(ERR_ANCHOR_NONE,    HOLD,   "anchor-missing") \
	X(ERR_ANCHOR_MANY,    HOLD,   "anchor-ambiguous") \
	X(ERR_ANCHOR_PLACE,   HOLD,   "place-outside-page") \
	X(ERR_PLACE_INK,      HOLD,   "place-not-free") \
	X(ERR_STAMP,          HOLD,   "stamp-unfit") \
	X(ERR_FIND_NONE,      HOLD,   "value-missing") \
	X(ERR_CONF,           STOP,   "settings") \
	X(ERR_USAGE,          STOP,   "usage") \
	X(ERR_DENIED,         STOP,   "not-allowed") \
	X(ERR_LATER,          RETRY,  "not-now") \
	X(ERR_PEER,           STOP,   "protocol-breach") \
	X(ERR_CONFINE,        STOP,   "confinement-failed") \
	X(ERR_TOKEN_GONE,     RETRY,  "token-absent") \
	X(ERR_TOKEN_FAULT,    RETRY,  "token-fault") \
	X(ERR_PIN_BAD,        STOP,   "pin-refused") \
	X(ERR_PIN_STOPPED,    STOP,   "pin-stopped") \
	X(ERR_PIN_SOURCE,     STOP,   "pin-unreadable") \
	X(ERR_KEY,            STOP,   "key-missing") \
	X(ERR_CERT,           STOP,   "certificate") \
	X(ERR_TSA_DOWN,       RETRY,  "tsa-unreachable") \
	X(ERR_TSA_ANSWER,     RETRY,  "tsa-answer-refused") \
	X(ERR_SIG,            STOP,   "signature-wrong") \
	X(ERR_LOG,            STOP,   "log-inconsistent") \
	X(ERR_LOG_ROLLBACK,   STOP,   "log-rolled-back") \
	X(ERR_ARCHIVE,        STOP,   "archive-conflict") \
	X(ERR_LOCKED,         STOP,   "already-running") \
	X(ERR_FIND_MANY,      HOLD,   "value-ambiguous") \
	X(ERR_DOC_STACK,      HOLD,   "several-documents") \
	X(ERR_FIELD,          HOLD,   "field-unfit") \
	X(ERR_STACK_KEPT,     HOLD,   "stack-not-scanned") \
	X(ERR_STACK_TICKET,   HOLD,   "stack-with-ticket") \
	X(ERR_SENDER,         REJECT, "sender-unproven")
/* clang-format on */

enum err_code {
	ERR_OK = 0,
#define X(code, class, word) code,
	ERR_CODES(X)
#undef X
	ERR_CODE_COUNT
};

#define ERR_TEXT_MAX 200

/* Marks a text for xgettext: people read it in their language (agent/messages.h). */
#define N_(s) s

struct err {
	enum err_code code;
	uint32_t page; /* 1-based page the trouble is on; 0: none in particular */
	char text[ERR_TEXT_MAX];
};

/* Set *e and return -code. The text is made one line of UTF-8, whatever came in or was cut off. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * As err_set(), with strerror(errno) appended.  ENOSPC and EDQUOT become
 * ERR_SPACE, ENOMEM becomes ERR_MEM, whatever code says.
 */
int err_sys(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

enum err_class err_class(enum err_code code);
const char *err_word(enum err_code code);              /* "io"; "ok" for 0 */
enum err_code err_code_by_word(const char *word);      /* ERR_OK if unknown */
bool err_code_valid(uint32_t code);                    /* for codes from the wire */

#endif
