/*
 * conf.h - the settings: sealroom.conf and folders.d/, read, checked, shown.
 *
 *	conf_load(&c, path, &e)     file + folders.d beside it; paths made absolute
 *	conf_parse(&c, text, &e)    effective text, as conf_text() wrote it
 *	conf_free(c)
 *
 * Every mistake is reported with file, line and remedy; all mistakes of a file
 * are collected (conf_load reports the first in *e, conf_problems() has all).
 * One table (rules/keys.c) gives names, types, bounds, defaults and the words
 * of `sealroom check --show`.  Everything here is const after loading.
 * Strings are owned by the conf.  Lists of names are resolved to pointers.
 */
#ifndef SEALROOM_CONF_H
#define SEALROOM_CONF_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"

struct strings {
	char **v;
	size_t n;
};

struct conf_where { /* where a group stands, for messages */
	const char *file;
	unsigned line;
};

struct conf_spot {
	const char *key; /* "rules.invoice.place.size" */
	struct conf_where where;
};

struct conf_tsa {
	const char *name;
	struct conf_where where;
	struct strings url;     /* tried in turn */
	const char *trust;      /* PEM file */
	const char *policy;     /* dotted OID or "" */
	uint64_t timeout_ms;    /* one request */
	uint64_t skew_ms;       /* how far genTime may be from our clock */
};

#define CONF_PIN_LOGIN "login" /* a person gives it: sealroom token login */

struct conf_token {
	const char *name;
	struct conf_where where;
	const char *module;     /* absolute path of the PKCS#11 module */
	const char *module_sha256; /* of its file, hexadecimal; "" = any */
	const char *serial;     /* selectors; "" = not given */
	const char *label;
	const char *key_id;     /* hex */
	const char *key_label;
	const char *cert;       /* PEM or DER file with certificate (and chain); "" = from the token */
	const char *chain;      /* PEM file with intermediates to put into the CMS; "" */
	const char *pin;        /* "credential:NAME", "file:PATH" or CONF_PIN_LOGIN */
	bool unsafe_legacy;     /* RSA 2048..2999 bits */
};

#define CONF_IMAGE_MAX (2u << 20)  /* bytes of a seal's picture */
#define CONF_FONT_MAX (32u << 20)  /* and of its font */

enum look_align { ALIGN_LEFT, ALIGN_CENTER, ALIGN_RIGHT };

struct conf_look {
	struct strings lines;   /* templates with {variables} */
	uint32_t align;         /* enum look_align, of the lines */
	const char *image;      /* PNG or JPEG file; "" for none */
	const char *qr;         /* template of the QR code's text; "" for none */
	const char *font;       /* TrueType file; "" for the font that is built in */
	uint8_t color[3];       /* RGB of lines, border and code */
	bool border;
};

struct conf_seal {
	const char *name;
	struct conf_where where;
	struct strings token_names; /* as written; tokens holds them resolved */
	const struct conf_token **tokens;
	size_t ntokens;
	uint32_t level;         /* enum pades_level: LEVEL_B_B or LEVEL_B_T */
	const char *tsa_name;
	const struct conf_tsa *tsa; /* NULL for B-B */
	const char *reason, *location;
	struct conf_look look;
};

enum jbig2_symbols { JBIG2_SYMBOLS_REFUSE, JBIG2_SYMBOLS_ALLOW };
enum ticket_want { TICKET_NONE, TICKET_OPTIONAL, TICKET_REQUIRED };
enum duplicates { DUPLICATES_SEAL, DUPLICATES_HOLD, DUPLICATES_REFUSE };

enum stack_want { STACK_DIVIDE, STACK_HOLD };

enum blank { BLANK_KEEP, BLANK_MARK, BLANK_DROP };
enum unread { UNREAD_REFUSE, UNREAD_KEEP };
enum no_resolution { RESOLUTION_ESTIMATE, RESOLUTION_HOLD };
enum came_signed { SIGNED_SEAL, SIGNED_HOLD };

enum place_side { SIDE_RIGHT, SIDE_LEFT, SIDE_ABOVE, SIDE_BELOW, SIDE_OVER };
enum place_along { ALONG_AUTO, ALONG_START, ALONG_MIDDLE, ALONG_END };
enum place_nth { NTH_FIRST, NTH_LAST, NTH_ONLY, NTH_NUMBER };
enum place_else { ELSE_HOLD, ELSE_CORNER, ELSE_INVISIBLE, ELSE_FREE };
enum pages_kind { PAGES_ALL, PAGES_FIRST, PAGES_LAST, PAGES_RANGE, PAGES_NONE };

struct conf_pages {
	enum pages_kind kind;
	uint32_t from, to;      /* 1-based, PAGES_RANGE */
};

/* An expression of the settings, compiled; text NULL: none. */
struct conf_ere {
	const char *text;       /* POSIX extended */
	regex_t re;
};

enum find_type { FIND_TEXT, FIND_NUMBER, FIND_DATE, FIND_AMOUNT };

struct conf_find {
	const char *name;
	struct conf_where where;
	struct strings after;
	uint32_t type;          /* enum find_type */
	struct conf_ere take;   /* by its type when it is not given */
	struct conf_ere barcode; /* instead of after: of a code's text */
	bool required;          /* missing: held */
};

enum place_corner { CORNER_TOP_LEFT, CORNER_TOP_RIGHT, CORNER_BOTTOM_LEFT, CORNER_BOTTOM_RIGHT };

struct conf_place {
	bool given;
	bool invisible;         /* place = "invisible" */
	bool fixed;             /* at = ... instead of near */
	enum place_corner at_corner;
	const char *near;
	struct conf_ere barcode; /* instead of near: beside a code whose text fits */
	const char *field;       /* instead of near: name of an empty signature field of the PDF */
	uint32_t typos;
	enum place_nth nth;
	uint32_t nth_number;
	struct conf_pages pages;
	enum place_side side;
	enum place_along align;   /* along that side */
	int32_t shift_x, shift_y; /* mpt; x to the right, y down */
	int32_t width, height;    /* mpt */
	int32_t margin_x, margin_y; /* mpt from the corner, for fixed and otherwise = corner */
	bool ignore_ink;          /* ink = "ignore" */
	int32_t reach;            /* mpt the seal may move by to where nothing is written */
	struct conf_pages marks;  /* pages that show it, too */
	enum place_else otherwise;
	enum place_corner else_corner;
};

struct conf_rule {
	const char *name;
	struct conf_where where;
	bool always;
	struct strings any, all, none;
	struct conf_ere match;  /* in a line of the pages */
	struct conf_ere barcode;      /* in the text of a code of the pages */
	struct strings barcode_kind;  /* of that code; none: any */
	struct strings file;    /* patterns of the document's name */
	struct strings ticket;  /* "field=value" */
	struct conf_ere signed_by; /* in the subject of a valid signature that came with the document */
	struct strings folder;  /* names of the only folders it is for */
	uint32_t min_pages, max_pages; /* of the document; 0: any */
	uint32_t typos;
	struct conf_pages pages;
	struct conf_find *finds;
	size_t nfinds;
	struct conf_place place;
	const char *seal_name;
	const struct conf_seal *seal; /* NULL when the rule only holds */
	const char *result_name;      /* template, "" for NAME.pdf */
	bool hold;
	const char *hold_de, *hold_en;
	uint8_t hash[HASH_LEN];       /* of the rule's effective text */
};

enum conf_poll {
	POLL_AUTO,   /* the type of the file system decides */
	POLL_ALWAYS, /* as on a network file system */
	POLL_NEVER,  /* as on a local one */
};

struct conf_folder {
	const char *name;
	struct conf_where where;
	const char *path;
	struct strings rule_names, seal_names; /* as written; below resolved */
	const struct conf_rule **rules;
	size_t nrules;
	const struct conf_seal **seals; /* the only ones allowed here */
	size_t nseals;
	const char *language;   /* "de" or "en" */
	uint64_t settle_ms;     /* 0: by the file system */
	uint64_t incomplete_ms; /* incomplete_max */
	enum conf_poll poll;
	uint64_t poll_ms;       /* rescan interval; 0: by the file system */
	bool claim_rename;      /* several hosts share the folder: the first to rename has it */
	mode_t give_mode;
	uint64_t give_keep_ms;  /* results are cleared after it; 0: never */
	bool status_file;       /* Stand.txt, Status.txt */
	struct strings allow;   /* users and @groups whose files are taken; none: all */
	uint32_t ticket;        /* enum ticket_want */
	uint32_t duplicates;    /* enum duplicates: the same bytes once more */
	struct conf_ere separator;      /* a page with such a barcode stands between documents */
	struct strings separator_patch; /* ... or with such a patch code */
	uint32_t stack;         /* enum stack_want: what becomes of several documents */
	struct strings release_by; /* users and @groups who may decide about held documents; none: the operators */
	bool release_not_dropper;  /* not whose document it is */
	bool log_names_plain;   /* log_names = "plain": file names stand unhashed in the log */
	/* names of the folders inside path, by language; with claim_rename work is WORD/HOST */
	const char *word_work, *word_done, *word_held, *word_error;
};

struct conf_scan {
	struct strings languages;  /* tesseract names */
	uint32_t workers;          /* 0: as many as cores */
	uint32_t max_pages;
	uint64_t max_pixels;       /* a page */
	uint64_t max_bytes;        /* a source */
	uint64_t page_ms;          /* time for one page */
	uint64_t page_memory;      /* bytes, RLIMIT_AS of a page child */
	uint32_t jbig2_symbols;    /* enum jbig2_symbols: images in which one character's picture may stand for another's */
	uint32_t blank;            /* enum blank: what becomes of blank pages */
	/* what a scan must be not to be held; 0: whatever it is */
	uint32_t min_dpi;
	uint32_t max_skew;         /* degrees */
	uint32_t min_confidence;   /* mean of a page's words, 0-100 */
	uint32_t unread;           /* enum unread: a page that is not read in time */
	uint32_t no_resolution;    /* enum no_resolution: a page that does not say how large it is */
	/* PDFs that came signed; enum came_signed */
	uint32_t came_signed;
	uint32_t signed_broken;    /* a signature is not true, or the file goes on behind the last */
	uint32_t signed_place;     /* one allows no visible seal: an invisible one, or held */
	const char *signed_trust;  /* PEM file: roots for these signatures beside conf.trust; "" for none */
};

struct conf {
	const char *path;          /* of the main file */
	unsigned lines;            /* it has */
	const char *language;
	struct conf_folder *folders; size_t nfolders;
	struct conf_rule *rules;     size_t nrules;
	struct conf_seal *seals;     size_t nseals;
	struct conf_token *tokens;   size_t ntokens;
	struct conf_tsa *tsas;       size_t ntsas;
	struct conf_scan scan;
	const char *trust;         /* PEM file: roots for seal certificates */
	const char *state;         /* state directory */
	const char *control;       /* control socket */
	struct strings operators;  /* users and @groups who may do more than look; none: all who are served */
	const char *host;          /* of this agent among those that share a folder; "" when it shares none */
	struct {
		bool connect;      /* sealroom-seal and sealroom-fetch are units, and come to the socket; else spawned */
		const char *socket;
		const char *seal_user, *log_user, *fetch_user; /* names or numbers: who may be what */
	} peers;
	uint32_t max_jobs;         /* unfinished jobs at once */
	uint64_t quarantine_keep_ms; /* 0: for ever */
	uint64_t space_floor;      /* bytes kept free */
	uint64_t tsa_max_wait_ms;  /* then an alarm */
	const char *metrics;       /* Prometheus text file, "" for none */
	struct {
		uint64_t certificate_ms; /* an alarm when it is valid no longer than this */
		uint64_t held_ms;        /* ... when a person has not decided for so long */
		uint64_t space;          /* ... when fewer bytes are free */
		uint64_t renewal_ms;     /* ... when a renewal has been due for so long */
	} alarms;
	struct { const char *path; } archive;
	struct {
		const char *origin;
		const char *anchor;    /* directory of the anti-rollback record */
		const char *key;       /* evidence.key */
		const char *tsa;       /* of evidence records; "": none are made */
		uint64_t batch_ms;     /* one at least so often */
		uint64_t renew_before_ms; /* ... and renewed so long before its certificate ends */
	} evidence;
	uint8_t hash[HASH_LEN];    /* of conf_text() */
	struct conf_spot *spots; size_t nspots; /* of every key that is given */
	void *arena;
};

struct conf_problem {
	char file[256];
	unsigned line;             /* 0: the file as a whole */
	bool warning;              /* works, but hardly as meant; conf_load() goes on */
	char text[400];            /* what is wrong, and the remedy */
};

int conf_load(struct conf **ret, const char *path, struct err *);
int conf_parse(struct conf **ret, const char *text, struct err *);
void conf_free(struct conf *);
/* Problems of the last conf_load()/conf_parse() of this process, file order. */
size_t conf_problems(const struct conf_problem **ret);
const char *conf_problems_language(void); /* that the same settings asked for, as far as they were read */

/* Where "archive.path" stands; else the nearest group about it; else the end of the main file. */
struct conf_where conf_locate(const struct conf *, const char *key);
/*
 * Words of problems in the language of the settings: who has a catalogue gives it before
 * conf_load(), for good.  Without one they are English, as journals are.
 */
typedef const char *conf_words(const char *language, const char *english);
void conf_words_use(conf_words *);

/* Effective settings as libconfig text, defaults included; malloc'ed; NULL: no memory. */
char *conf_text(const struct conf *);
/* The same for people (`sealroom check --show`): each key's meaning beside it. */
char *conf_show(const struct conf *);

const struct conf_folder *conf_folder(const struct conf *, const char *name);
const struct conf_rule *conf_rule(const struct conf *, const char *name);
const struct conf_seal *conf_seal(const struct conf *, const char *name);
const struct conf_token *conf_token(const struct conf *, const char *name);
const struct conf_tsa *conf_tsa(const struct conf *, const char *name);

#endif
