/*
 * children.h - the processes round the core: start, greet, task, supervise.
 *
 *	children_open(&c, loop, &opts, &e)      forks and execs what opts asks for
 *	children_task(c, role, &req, cb, ctx)   runs one task; cb is called once, later
 *	children_sign(...), children_note(...)  one digest, one checkpoint
 *	children_close(c)
 *
 * A peer that breaks the protocol, hangs or dies costs its own tasks only: they
 * end with an error, the peer is started anew with back-off (0.5 s doubling to
 * 60 s).  The core owns all deadlines and kills by pidfd.
 *
 * With 'connect' the processes of keys and network are units of their own and
 * come to peers.socket (peers.h).  They are not ours to kill: hung up on, they
 * end, and the service manager starts them anew.  Who is away is waited for;
 * who comes before its back-off is over, or while its PIN mark stands, is kept
 * waiting, so nothing is tried sooner than it would be here.  Used by the daemon
 * and by the commands that look into documents (try, verify, audit, check).
 *
 * A task's child is hostile: it may only say what is its role's to say (a
 * reader of documents nothing about the log or a PIN), and says it once.
 */
#ifndef SEALROOM_CHILDREN_H
#define SEALROOM_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/loop.h"
#include "agent/lib/msgs.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct children;

struct children_opts {
	const struct conf *conf;   /* outlives the children */
	bool scan, ocr;            /* sealroom-scan; with the recognition models */
	bool ocr_look;             /* without: it only looks for them, in an eighth of the time, and reads no page */
	bool verify, fetch;
	bool tokens;               /* one sealroom-seal for each conf token */
	bool no_login;             /* tokens: report only, never log in */
	bool log_key;              /* the log's sealroom-seal */
	bool log_empty;            /* it may make the key */
	bool connect;              /* sealroom-seal and sealroom-fetch come to us: conf->peers */
	int state_dir;             /* descriptor of conf->state, for the PIN marks; -1 without tokens */
	const char *tsa_roots;     /* verify: a PEM file beside those of conf; NULL: none */
	uint32_t answer_ms;        /* patience for one signature or checkpoint; 0: 60 s */
	/* A peer came or went; may be NULL. name is the token's, "log", or "". */
	void (*changed)(void *ctx, enum role role, const char *name, bool ready, const struct err *why);
	void (*token_free)(void *ctx); /* one has answered, or will not; may be NULL */
	void *ctx;
};

int children_open(struct children **ret, struct loop *, const struct children_opts *, struct err *);
/*
 * Other settings, which outlive the children from now on.  Tokens come and go;
 * a process whose part has changed is started anew when it is idle.
 */
void children_reload(struct children *, const struct conf *);
/* Some still stand with the settings of before. */
bool children_renewing(const struct children *);
/* Asks all to end (hang-up), kills what is left after 2 s (20 s in the middle of a login). */
void children_close(struct children *);

/* --- tasks ------------------------------------------------------------------ */

struct task_req {
	uint32_t kind;              /* enum task_kind_id; decides the role */
	const struct buf *params;   /* copied */
	int in, out;                /* -1: none; out is duplicated, in given to the child read only, however it is open */
	uint32_t as_mib, cpu_s;     /* limits; 0: none */
	uint64_t fsize;             /* of out; UINT64_MAX: no limit */
	uint32_t deadline_ms;
	bool behind;                /* stands aside for others from the start */
	/*
	 * page-pulling kinds: a descriptor (closed after sending), or -1 with errno:
	 * ERANGE is the child's fault, everything else is ours and ends the task as lost.
	 */
	int (*page)(void *ctx, uint32_t page);
};

struct task_outcome {
	const struct err *err;      /* NULL: the result is good */
	struct buf *result;         /* valid during the callback; cursor at its start */
	bool crashed;               /* died without an answer, or broke the protocol */
	bool timed_out;
	bool starved;               /* killed, and not by us: so the kernel does when memory runs out */
	bool lost;                  /* not the task's fault: its zygote died, it never began, we could not serve it */
	uint64_t maxrss_kib, cpu_us;
};

typedef void task_cb(void *ctx, const struct task_outcome *);

/* Returns a handle for children_cancel(). Queued until the role is ready and a slot is free. */
uint64_t children_task(struct children *, const struct task_req *, task_cb *, void *ctx);
/* The callback will not be called any more; the child is killed. */
void children_cancel(struct children *, uint64_t handle);

/* --- seal ------------------------------------------------------------------- */

typedef void sign_cb(void *ctx, const struct err *, const uint8_t *cms, size_t len,
    const uint8_t imprint[HASH_LEN]);
typedef void note_cb(void *ctx, const struct err *, const char *checkpoint);

/* Of the settings in force; NULL: not ready now.  Not to be kept but while it is asked. */
struct peer;
struct peer *children_token(const struct children *, const struct conf_token *);
bool children_token_busy(const struct peer *); /* it is being asked */
const struct ready_seal *children_token_facts(const struct peer *);
const char *children_token_name(const struct peer *);
/* A person cleared it: a stopped one is started at once. */
void children_token_cleared(struct children *, const char *name);
/*
 * A person's PIN for a token whose setting says so: pin is the reading end of a
 * pipe, taken in every case, handed on unread, and closed here.  cb comes once
 * when this returned 0: why NULL, the token is ready.
 */
typedef void login_cb(void *ctx, const struct err *why);
int children_token_login(struct children *, const char *name, int pin, login_cb *, void *ctx, struct err *);
/* What waits to be started again is started now; a token that a person must clear is not. */
void children_hurry(struct children *);
/* One that is not busy. The callback comes once, with an error when the process died or hung; then it is free again. */
void children_sign(struct peer *, const char *job, uint32_t attempt, const uint8_t digest[HASH_LEN],
    sign_cb *, void *ctx);
/* During its callback, with an error: the question never left us, or never came to the token, so surely nothing was signed. */
bool children_unasked(const struct peer *);

/* NULL until the log's sealroom-seal is ready. */
const struct ready_seal *children_log_facts(const struct children *);
int children_note(struct children *, const char *origin, uint64_t size, const uint8_t root[HASH_LEN],
    note_cb *, void *ctx);

/* --- for status and check --------------------------------------------------- */

struct peer_status {
	enum role role;
	const char *name;           /* token's name, "log" or "" */
	bool ready;
	bool stopped;               /* a person must act (ERR_CLASS_STOP) */
	struct err why;             /* last trouble; code ERR_OK: none */
	uint32_t restarts;
	const struct ready_seal *seal; /* seal roles that said READY; else NULL */
	const struct ready_scan *scan;
};
uint32_t children_count(const struct children *);
void children_status(const struct children *, uint32_t i, struct peer_status *ret);

/* What tasks of a kind have used since the start, as the kernel counted when they ended. */
struct task_usage {
	const char *kind;    /* "page", "compose" ...; NULL: there is no i-th */
	uint64_t runs, cpu_us, peak_kib;
};
void children_usage(const struct children *, uint32_t i, struct task_usage *ret);

#endif
