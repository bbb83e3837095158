/*
 * entry.h - the text of one log entry: build it, read it strictly.
 *
 * An entry is UTF-8 text (in fact printable ASCII), "key value" lines in a fixed
 * order for its type; evidence(7) lists them.  These bytes are the leaf of the
 * log: they are stored, hashed and shown as they are, never written anew.
 *
 *	struct entry x = { .type = ENTRY_JOB };
 *	memcpy(x.job, id, ID_MAX); ...                   fill in what is known
 *	entry_name_set(&x.source, name, salt, plain)     names of files and people
 *	elog_append(log, &x, &index, &e)                 (seal/evidence/log.h)
 *
 * What is left zero or empty is written "-".  A SHA-256 of 32 zero bytes means
 * "none".  entry_parse() accepts exactly what entry_format() writes.
 *
 * Names of files and people may be personal data in a log that cannot forget:
 * by default they are SHA-256(salt || name), with the salt kept in the job's
 * job.json, so that removing the salt forgets the name.
 */
#ifndef SEALROOM_ENTRY_H
#define SEALROOM_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "agent/lib/taskmsg.h"

#define ENTRY_MAX 4096   /* bytes of one entry; the bundle format would allow 65535 */
#define ENTRY_HEADS_MAX 32
#define ENTRY_FILES_MAX 8
#define ENTRY_SALT_LEN 16
#define ENTRY_PATH_MAX 104

/* clang-format off */
#define ENTRY_TYPES(X) \
	X(START,   "start")   /* the daemon began; what it found on disk */ \
	X(STOP,    "stop")    /* the daemon ended, and why */ \
	X(CONFIG,  "config")  /* settings in force from here on */ \
	X(KEY,     "key")     /* a key or certificate in use from here on */ \
	X(JOB,     "job")     /* sealed and archived: final */ \
	X(REJECT,  "reject")  /* refused, and why: final */ \
	X(HOLD,    "hold")    /* a person must decide */ \
	X(RELEASE, "release") /* a person decided */ \
	X(WITHDRAW, "withdraw") /* taken back before the seal: final */ \
	X(REPEAT,  "repeat")  /* answered with an earlier job's result: final */ \
	X(DIVIDE,  "divide")  /* a stack whose documents are jobs of their own now, archived: final */ \
	X(VOID,    "void")    /* sealed, and declared void by a person */ \
	X(ORPHAN,  "orphan")  /* the token was asked, its signature is lost */ \
	X(BREAK,   "break")   /* log or anti-rollback record were put back; a person went on from here */ \
	X(BATCH,   "batch")   /* one time stamp over documents and log: evidence records */ \
	X(RENEWAL, "renewal") /* one time stamp over the time stamps of such records */ \
	X(NOTE,    "note")    /* words of an operator */
/* clang-format on */

enum entry_type {
	ENTRY_NONE = 0,
#define X(name, word) ENTRY_##name,
	ENTRY_TYPES(X)
#undef X
	ENTRY_TYPE_COUNT
};

struct entry_name {
	enum { ENTRY_NAME_NONE, ENTRY_NAME_HASHED, ENTRY_NAME_PLAIN } kind;
	uint8_t hash[HASH_LEN]; /* SHA-256(salt || name) */
	char text[256];         /* plain: the bytes of the name */
};

struct entry_file { /* a file of the archive */
	char name[ENTRY_PATH_MAX]; /* below the job's directory; else below evidence/ */
	uint64_t size;
	uint8_t hash[HASH_LEN];
};

struct entry {
	enum entry_type type;
	uint64_t index;                  /* elog_append() sets index, heads, and time where it is 0 */
	int64_t time_us;
	uint32_t nheads;                 /* checkpoints published since the entry before */
	uint64_t heads[ENTRY_HEADS_MAX];

	/* job reject hold release withdraw repeat divide void orphan */
	char job[ID_MAX];
	char folder[MSG_NAME_MAX];
	/* job reject hold withdraw repeat divide */
	bool has_source;
	struct entry_name source;        /* as the sender called it */
	uint64_t source_size;
	uint8_t source_hash[HASH_LEN];
	int64_t source_mtime_us;
	uint32_t source_owner;           /* uid */
	int64_t received_us, ocr_us, sealed_us, archived_us;
	/* job */
	char rule[MSG_NAME_MAX];
	uint8_t rule_hash[HASH_LEN];     /* of the effective rule text */
	bool has_sealed;
	struct entry_name sealed;        /* as delivered */
	uint64_t sealed_size;
	uint8_t sealed_hash[HASH_LEN];
	uint32_t level;                  /* enum pades_level: what was proven */
	char pdfa[4];                    /* "2u" */
	uint32_t pages;
	char blank[256];                 /* pages of the source, "2,4-8/2" or "many"; "" for none */
	bool blank_dropped;              /* they are not among pages */
	char unread[256];                /* pages of the source without text, because reading them took too long; as blank */
	char ocr[128];                   /* engine, version, languages */
	uint8_t ocr_hash[HASH_LEN];      /* of the language data */
	uint8_t tst[HASH_LEN];           /* of the signature time stamp token */
	/* job orphan */
	uint32_t attempts;               /* n of the attempt that counts, or that is lost */
	char token[MSG_NAME_MAX];
	uint8_t seal_cert[HASH_LEN];     /* SHA-256 of the certificate */
	/* job divide config key break batch renewal: in the order of their names */
	char path[64];                   /* job divide: "2026/11/22/<job>" */
	uint32_t nfiles;
	struct entry_file files[ENTRY_FILES_MAX];
	/* reject hold stop */
	char reason[32];                 /* err_word(), or a word of its own for stop */
	char text[512];                  /* one line: reject hold stop release (the decision) withdraw repeat divide void note break */
	uint32_t question;               /* hold release: the n-th hold of this job, from 1 */
	/* start break */
	uint64_t disk_size;              /* the log as found */
	uint8_t disk_root[HASH_LEN];
	bool has_anchor;                 /* the anti-rollback record as found */
	uint64_t anchor_size;
	uint8_t anchor_root[HASH_LEN];
	/* break */
	uint32_t again;                  /* jobs of the spool whose entries were lost: they are entered again */
	uint32_t lost;                   /* jobs that were logged and are nowhere now */
	uint32_t aside;                  /* directories of the archive that nothing proves any more */
	/* start */
	char boot[40];                   /* kernel's boot id */
	/* start config */
	uint8_t config_hash[HASH_LEN];   /* of the effective settings */
	/* key */
	char key_role[MSG_NAME_MAX];     /* "log" "seal" "tsa" "trust" */
	char key_name[MSG_NAME_MAX];     /* token, TSA, or the log's origin */
	uint8_t key_hash[HASH_LEN];      /* of the vkey text or the certificate's DER */
	/* batch renewal */
	uint32_t record;                 /* its number: evidence/er/<record>/ */
	bool has_before;
	uint64_t before;                 /* entry of the record before it */
	uint64_t range[3];               /* batch: first and last entry, and the size of the log that is covered */
	uint32_t groups;                 /* of its tree */
	uint8_t root[HASH_LEN];
	char tsa[MSG_NAME_MAX];
	int64_t stamped_us, until_us;    /* genTime; end of the authority's certificate */
	/* job reject hold release withdraw repeat divide void note break: who dropped or decided */
	bool has_operator;
	uint32_t operator_uid;
	struct entry_name operator;
	/* all */
	char host[64];
	char software[MSG_NAME_MAX];     /* version */
	char build[32];                  /* build id */
};

/* kind NONE for NULL or "". plain: the name itself; else its salted hash. */
void entry_name_set(struct entry_name *, const char *name, const uint8_t salt[ENTRY_SALT_LEN], bool plain);

/* Appends the text to out. A value that does not fit the format: -ERR_LOG. */
int entry_format(const struct entry *, struct buf *out, struct err *);
/* text need not end in NUL. Anything but what entry_format() writes: -ERR_LOG. */
int entry_parse(const void *text, size_t len, struct entry *ret, struct err *);

/* Without parsing all: type and job ("" where there is none) of a well-formed start; else -ERR_LOG. */
int entry_peek(const void *text, size_t len, enum entry_type *ret_type, char job[ID_MAX], struct err *);
/* Does the entry hold this line ("question 2", without its LF)? */
bool entry_has_line(const void *text, size_t len, const char *line);

const char *entry_type_word(enum entry_type);
enum entry_type entry_type_by_word(const char *); /* ENTRY_NONE if unknown */

#endif
