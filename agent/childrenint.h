/*
 * childrenint.h - shared by the parts of children.h.
 *
 *	children.c   who there is: opened, given other settings, closed
 *	childlife.c  one process: started or awaited, ended, started anew
 *	childtalk.c  what it is told, and what it says
 *	childpin.c   marks of PINs under trial, and a PIN that a person gives
 *	childseal.c  questions to a seal process
 *	childtask.c  tasks, from the queue to their end
 *
 * What reads a message (peer_signed() and others) returns -ERR_PEER for one that is
 * damaged or out of turn, and the process is then taken down; 'm' stays the caller's.
 */
#ifndef SEALROOM_CHILDRENINT_H
#define SEALROOM_CHILDRENINT_H

#include "agent/lib/proc.h"
#include "agent/lib/wire.h"

#include "agent/children.h"
#include "agent/peers.h"

#define BACKOFF_FIRST_MS 500
#define CHILD_KINDS 18 /* of tasks that are counted: the rows of kinds[], childtask.c */

enum peer_state { PEER_DOWN, PEER_AWAITED, PEER_GREETING, PEER_SETTING, PEER_READY, PEER_STOPPED };

/* A question to a seal process: at most one of each kind at a time. */
struct question {
	bool open;
	bool unasked;                   /* the process was gone before it could be sent, or its token was not asked */
	uint32_t ticket;
	uint64_t timer;
	sign_cb *sign;
	note_cb *note;
	void *ctx;
};

struct peer {
	struct children *c;
	enum role role;
	const char *name;
	const struct conf_token *token; /* NULL but for tokens */
	bool log;
	enum peer_state state;
	bool renew;                     /* to be started anew when idle: other settings */
	bool retired;                   /* and not even that: no longer in the settings */
	bool remote;                    /* a unit of its own: it comes to us */
	int waiting;                    /* it came, and its turn has not come; -1 */
	struct proc proc;               /* sock -1: not there; pid 0: not our child */
	uint64_t timer;                 /* restart, or greeting deadline */
	uint64_t backoff, ready_at;
	bool useful;                    /* it has answered something since it was ready */
	struct err why;
	uint32_t restarts, seq, running;
	bool unasked;                   /* of the question that was answered last */
	bool wants_pin;                 /* greeted; its SETTINGS wait for a person's PIN */
	int pin;                        /* pipe of a PIN on its way; -1 */
	login_cb *login;                /* who gave it waits */
	void *login_ctx;
	struct question question;
	struct ready_seal *seal;
	struct ready_scan *scan;
	struct peer *next;
};

struct task_run; /* childtask.c */
struct asides;

struct children {
	struct loop *loop;
	struct children_opts opts;
	struct peer *peers;
	struct peers *door;             /* where units come to; NULL: all are spawned */
	struct task_run *tasks;         /* oldest first */
	struct asides *asides;
	uint64_t handles;
	uint64_t pump_timer;
	uint64_t renew_timer;
	uint32_t ids;
	bool closing;
	struct task_usage usage[CHILD_KINDS];
};

/* childlife.c */
const char *peer_program(enum role);
/* opts.changed, unless all end; why may be NULL. */
void peer_tell(struct peer *, bool ready, const struct err *why);
/* Its timer must not run. What goes wrong is in p->why, and tried again. */
void peer_start(struct peer *);
/*
 * The process is gone or must go: kill, reap, fail what it was doing, plan the
 * next start.  Callbacks of tasks, questions and logins are called from here.
 */
void peer_down(struct peer *, const struct err *why);
/* From now on it has its time to become ready, then it is taken down. */
void peer_greet_begin(struct peer *);
/* peers_open(): ctx is the children. */
void peer_come(void *ctx, int sock, const struct peer_hello *);

/* childtalk.c */
/* For the event loop: ctx is the peer. */
void peer_heard(void *ctx, uint32_t events);
/* It said who it is, and what it is to know follows: for some not before a person came. */
int peer_greeted(struct peer *, struct err *);
/* With the PIN that waits in p->pin, which is closed. */
int peer_send_settings(struct peer *, struct err *);
/* FAIL of a process or a task; *ret is set when this returns 0. */
int child_fail_get(struct wire_msg *, struct err *ret, struct err *);

/* childpin.c */
/* Its mark's file, made if it is not there: the caller's descriptor, or -code. */
int peer_open_mark(struct peer *, struct err *);
/* A login was refused or broke off, and no person has cleared that. */
bool peer_marked(const struct peer *);
/* Stopped by its mark: it is started when a person has cleared it. */
void peer_await_clearing(struct peer *);
/* Does it log in with a PIN that only a person has? */
bool peer_asks_person(const struct peer *);
/* Who gave a PIN is told, if anybody waits; NULL: it was good. */
void peer_answer_login(struct peer *, const struct err *why);

/* childseal.c */
/* The open question, if there is one, ends with why. */
void peer_fail_question(struct peer *, const struct err *why);
int peer_signed(struct peer *, struct wire_msg *m, struct err *);
int peer_refused(struct peer *, struct wire_msg *m, struct err *);
int peer_noted(struct peer *, struct wire_msg *m, struct err *);

/* childtask.c */
/* Starts what can start. */
void tasks_pump(struct children *);
/* What the process had begun ends as lost; what waits for it goes on waiting. */
void tasks_lose(struct peer *);
/* All end, and no callback is called. */
void tasks_drop(struct children *);
int task_started(struct peer *, struct wire_msg *m, struct err *);
int task_exited(struct peer *, struct wire_msg *m, struct err *);

#endif
