/*
 * core.h - what the files of the daemon's core share: the core, its jobs, and
 * the order in which a job goes through them.
 *
 *	claimed  -> render.c   inspect, pages, compose, read back
 *	rendered -> sealing.c  field, hash, sign
 *	signed   -> stamping.c time stamp, attach, fill the hole, judge
 *	sealed   -> outcomelog.c  publish
 *	archived -> outcomelog.c  log
 *	logged   -> outcome.c  deliver, remove the sender's copy, clean
 *	refused  -> outcome.c  the same with its reason
 *	held     -> outcomeheld.c  ask a person, do what the person decides
 *	claimed, a stack -> stack.c, which makes its documents jobs; then sealed, archived, logged, without a seal
 *
 * job_step() looks at what is there and starts the next thing; whatever ends
 * calls job_step() again.  So start-up is: find the jobs, step each.  Every
 * failure goes through job_trouble(), which decides by its class.
 */
#ifndef SEALROOM_CORE_H
#define SEALROOM_CORE_H

#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/log.h"
#include "agent/lib/loop.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"
#include "seal/evidence/log.h"
#include "agent/archive.h"
#include "agent/children.h"
#include "agent/continued.h"
#include "agent/spool.h"

struct page_run;
struct ticket;
struct watch_set;
struct alarms;
struct metrics;
struct standing;
struct keep;
struct expiry;
struct control;

struct core {
	struct loop *loop;
	struct conf *conf;
	struct spool spool;
	struct archive *archive;
	struct elog *elog;
	struct children *children;
	struct watch_set *watch;
	struct control *control;
	struct job *jobs;
	uint32_t njobs;
	struct continued continued; /* what was taken in the last minutes */
	uint32_t workers;          /* pages read at once */
	uint32_t pages_running;    /* those that hold a place among them */
	uint32_t pages_aside;      /* those that stand aside from the start; as many as there are places at most */
	uint32_t pages_slow;       /* those that ran too long to hold one; as many again at most */
	uint64_t tasks_good;       /* of all documents */
	struct page_run *page_runs; /* render.c: pages under way */
	uint64_t page_turns;       /* grows with every page begun: who was served last comes last */
	struct token_line *lines;  /* tokens.h */
	uint32_t claims_running;
	struct trying *trying;     /* trying.h: the one document that is tried; NULL: none */
	struct claiming *claims;   /* claiming.c: those of files in folders */
	DIR *held_dir;             /* byticket.c: held/ of the folder that is looked through; NULL: at its beginning */
	size_t held_folder;
	uint64_t commit_timer, publish_timer, receipts_timer, token_timer;
	bool noting;               /* a NOTE is under way */
	int64_t clock_apart_us;    /* wall clock less CLOCK_BOOTTIME, at the last look (clockwatch.h) */
	bool clock_doubt;          /* the clock was set: no seal before a time stamp confirms it */
	struct job *clock_probe;   /* the job that asks for it */
	struct unread_job *unread;     /* recover.c: jobs that could not be read yet */
	uint64_t unread_timer, unread_ms;
	struct log_limit unread_said, room_said;
	bool log_ready;            /* anti-rollback record compared, key known, start entry written */
	bool stopping;
	int exit_code;
	bool once, once_rescanned;
	uint64_t once_wait_ms, once_waiting_since;
	uint64_t once_timer;
	uint64_t moved_ms;         /* when a job last moved on */
	bool alarmed_stuck;        /* alive.h */
	struct conf *next_conf;    /* reload.h: accepted, and waits for claims under way */
	uint32_t reloads;          /* so often other settings came into force */
	struct old_conf *old_confs;
	uint64_t reload_timer, recount_timer;
	int signal_fd;
	int64_t started_us;
	char *conf_text;           /* effective settings, kept with the log */
	struct log_limit space_said, wait_said[ERR_CODE_COUNT];
	json_t *paused;            /* pause.c */
	struct operator { bool group; uint32_t id; } *operators; /* who may do more than look */
	size_t noperators;         /* 0: all who are served */
	bool space_low;
	struct batches *batches;   /* batch.c */
	struct alarms *alarms;     /* alarm.c; these four are NULL with --once */
	struct metrics *metrics;   /* metrics.c */
	struct standing *standing; /* standing.c */
	struct keep *keep;         /* keep.c */
	struct expiry *expiry;     /* expiry.c */
	struct log_limit alarm_said;
};

/* Where a job of state claimed or signed stands; the state itself is on disk. */
struct job {
	struct core *core;
	struct job *next;
	struct claim claim;
	const struct conf_folder *folder; /* NULL: no longer in the settings */
	enum spool_state state;
	int dir;                   /* stays valid over renames of the job's directory */
	bool busy;                 /* a task or a token works for it */
	uint32_t reloads;          /* as core.reloads was when it was last stepped: what is under way began by those settings */
	bool dead;                 /* to be freed at the next turn */
	bool unchecked;            /* found at the start, and its copy not looked at yet */
	bool aside;                /* its copy is not what was claimed: nothing is done with it */
	bool stalled;              /* in trouble since it last moved on: --once does not wait for it for ever */
	bool withdrawn;            /* its record `withdrawn` is there: no seal any more */
	bool admitted;             /* admit.c has looked at it, in this run */
	char other[ID_MAX];        /* the earlier job that its refusal, question or repetition is about; "" */
	int earlier;               /* that one's directory in the archive, to be handed out again; -1 */
	char earlier_path[ARCHIVE_PATH_MAX];
	struct ticket *ticket;     /* read by admit_ticket() */
	bool divided;              /* the log has it as a stack that was divided (reconcile.c): it can become nothing else any more */
	bool was_held;             /* its receipt is gone with that */
	enum { RECEIPT_UNSEEN, RECEIPT_SEEN, RECEIPT_GONE } receipt;
	dev_t receipt_dev;         /* of the folder in which it was seen */
	ino_t receipt_ino;
	uint64_t receipt_gone_ms;  /* missed since; 0: there */
	uint64_t task;             /* handle of the one task, 0: none */
	uint64_t timer;            /* retry */
	uint64_t backoff_ms;
	uint64_t moved_ms;         /* when it last moved on */
	struct err why;            /* what it waits for; ERR_OK: nothing */
	struct err failed_once;    /* crash or time-out of a child: once more, with doubled limits */
	uint32_t hints;            /* how often a child has blamed our side */
	uint64_t good_then;        /* tasks of others that had gone well when it began to */
	uint64_t tasks_good;
	struct peer *token;        /* which is asked */
	bool wants_token;          /* waits for one, to draw for it or to ask it */

	struct inspect_result inspect; /* kind DOC_NONE: not known yet */
	uint32_t pages_said;       /* of a scanned PDF that was looked at in brief; 0: none */
	struct compose_result *plan;
	bool planned;
	uint8_t *page_state;       /* PAGE_* per page */
	uint32_t pages_done, pages_running, page_next;
	uint64_t pages_bytes;      /* of those that are kept, holes and all */
	struct rechecking *rechecking; /* render.c: pages of an earlier run are read through; NULL: none */
	struct page_mark page_mark; /* of the furthest page read so far */
	uint64_t page_turn;        /* when it was served last, of core.page_turns */
	uint32_t page_failures;
	int out;                   /* output of the running task; -1 */
	int side;               /* a second one, where a task reads the first; -1 */

	uint32_t attempt;
	uint32_t hole;
	uint64_t sign_range[4];
	int64_t seal_time_us;
	uint8_t digest[HASH_LEN];
	uint64_t nonce;
	bool probing;              /* its time stamp only confirms the clock */
	int64_t stamp_sent_us;
	struct judge_result *judged;
	struct sigs_result sigs;
	uint32_t ours;             /* index of the seal among judged->sigs */
	struct earlier *earlier_sigs; /* earlier.h; NULL: not read yet, or it came unsigned */

	void (*attached_then)(struct job *); /* attached.h */
	struct dividing *dividing; /* stack.c: a stack whose documents are being written */
	uint32_t parts_taken;      /* those of its documents that are jobs, as far as this run has looked */
	struct keeping *keeping;   /* render.c: a document that keeps its bytes is put together */
	struct steps *steps;       /* copying or hashing under way; it cancels with the job */
	struct publishing *publishing;
	struct checking *checking; /* recover.c */
	struct placing *placing;   /* placing.c: what is drawn for the person who decides */
	struct archived *archived; /* outcomelog.c: the files that are archived */
	struct giving *giving;     /* keep.c: the result that is being put on record */
	struct sealwork *sealwork; /* sealing.h: what a stepped part of sealing needs */

	bool settled;              /* held, and all who must know do */
	bool log_wait;             /* its entry is queued for the next commit */
	uint64_t log_index;
	uint64_t log_from;         /* none of its entries lies before (reconcile.h) */
};

enum { PAGE_TODO, PAGE_UNREAD, PAGE_FOUND, PAGE_RUNNING, PAGE_DONE }; /* PAGE_UNREAD: to do, without its text; PAGE_FOUND: an earlier run's */

#define JOB_BACKOFF_MS 1000    /* the first; doubled each time */
#define JOB_BACKOFF_LAST_MS 60000

/*
 * daemon.c: all that lives as long as the daemon, in the order in which one part
 * needs the other.  *c is zeros, but for once and once_wait_ms; it is closed also
 * when opening failed.  What can be wrong with settings and disk is wrong in
 * core_open(), before anybody is told that the daemon is ready.
 */
int core_open(struct core *c, const char *conf, struct err *);
int core_run(struct core *, struct err *); /* until core_stop(); then core.exit_code counts */
void core_close(struct core *);

/* core.c */
/* Memory for it, asked for before anything is done that could not be undone; free(), or job_add(). */
struct job *job_new(struct err *);
void job_add(struct core *, struct job *, const struct claim *, enum spool_state, int dir);
void job_free(struct job *);
struct job *job_find(struct core *, const char *prefix, bool *ret_many);
void job_step(struct job *);
/* Steps it from the loop, not from here. */
void job_step_soon(struct job *, uint64_t ms);
/* Decides by the class of e: back-off, refuse, hold, or alarm. */
void job_trouble(struct job *, const struct err *e);
int job_move(struct job *, enum spool_state to, struct err *);
/* Runs one task for this job. Its output is an unlinked file; the limits are doubled at a second try. */
struct job_task {
	uint32_t kind;
	const struct buf *params;
	int in;
	int *out;                  /* where its output is made: &j->out or &j->side; NULL: none */
	uint32_t as_mib, cpu_s, deadline_ms;
	uint64_t fsize;            /* bytes of output; 0: JOB_OUT_MAX */
	int (*page)(void *ctx, uint32_t page);
};
#define JOB_OUT_MAX (256ull << 20)
/* The pages behind these, composing all of them and drawing their stamp stand aside for letters (aside.h). */
#define JOB_PAGES_FIRST 20
int job_task(struct job *, const struct job_task *, task_cb *, struct err *);
/* Size of what a child maps: its address space grows with it. */
uint32_t input_mib(int fd);
/* For callbacks: true when the outcome is good, else job_trouble() was called, or the job is stepped again (job_outdated()). */
bool job_task_ok(struct job *, const struct task_outcome *);
/*
 * Other settings are in force than when it was stepped, its folder or its time-stamping
 * authority may be gone: what was asked by the old ones is asked again, and nobody's fault.
 * True: the job is stepped for that, soon.
 */
bool job_outdated(struct job *);
/* What a child said or did, as the core sees it: a hint to try again is believed twice. */
void job_judge_task(struct job *, const struct task_outcome *, struct err *ret);
/* Its answer was whole: what stops another is not our side's. */
void job_task_good(struct job *);
/* It went on: whatever it waited for is over. */
void job_moved(struct job *);
/* A child answered what can not be read: that is a crash of it, not a breach of ours. */
int job_lied(struct err *, const char *what);
/* Is that process ready? Work for one that is not waits unseen. */
bool core_has(const struct core *, enum role);
/*
 * Each job keeps its directory open, also while it waits for a person.  How many
 * the limit of open files allows, so that a start can open all of them again;
 * never fewer than max_jobs.
 */
uint32_t core_jobs_room(const struct core *);
void core_raise_descriptors(void);
void core_stop(struct core *, int exit_code);
/* The exit status for what kept the daemon from beginning: 78 and 79 want a person first, after the others a restart may do. */
int core_exit_of(const struct err *);
void core_idle_check(struct core *);

/* render.c */
void render_step(struct job *);
void render_pump(struct core *);         /* gives free cores to pages, in turn */
void render_forget(struct job *);        /* frees what rendering held */
void render_close(struct core *);        /* pages under way end unheard */
/* For TASK_COMPOSE and TASK_PART, ctx being the job: its page results, and how large what is made of them may be. */
int render_give_page(void *ctx, uint32_t page);
uint64_t render_out_max(const struct job *);
/* A reader's answer to TASK_INSPECT, which may be brief; what no reader of ours can say under these settings is damaged, too. */
int inspect_answer(const struct core *, bool brief, struct buf *, struct inspect_result *ret, struct err *);
/* Record `inspect`, when there is one. */
int inspect_load(struct job *, struct err *);
int plan_load(struct job *, struct err *);
uint32_t render_pages_done(const struct job *);

/* sealing.c: rendered; stamping.c: signed */
void sealing_forget(struct job *);       /* frees what sealing held */
void sealing_step_rendered(struct job *);
void sealing_step_signed(struct job *);
/* A token is free or ready: from the loop, jobs that wait for one go on, the oldest first. */
void sealing_token_free(struct core *);
/* rendered, clock in doubt: asks the TSA; the job is stepped again when it confirms. */
int stamping_probe(struct job *, const struct conf_seal *, struct err *);
void stamping_probe_over(struct job *);
int stamping_nonce(uint64_t *ret, struct err *);
/* A TSA was asked at sent_us: it answered, or why not. */
void stamping_heard(struct core *, const char *tsa, int64_t sent_us, const struct err *why);

/* outcomelog.c: sealed, archived */
void outcome_forget(struct job *);       /* frees what publishing held */
void outcome_publish(struct job *);
void outcome_log(struct job *);

/* outcome.c: logged, released, refused */
void outcome_deliver(struct job *);
void outcome_clean(struct job *);
void outcome_refuse(struct job *, const struct err *why);
void outcome_refused_step(struct job *);
/* The same document under the same reference again: hands out what job id got, and logs `repeat`. */
void outcome_repeat(struct job *, const char *id);
/* Settled with the sender's file gone, and nothing handed out: of a ticket that has had its effect. */
void outcome_end(struct job *);

/* outcomeheld.c: held */
void outcome_hold(struct job *, const struct err *why, const struct compose_result *plan);
void outcome_held_step(struct job *);
/* Takes back what lies in held/, then refuses it as withdrawn. */
void outcome_unhold_withdrawn(struct job *);
/* A person's decision on a held job. */
struct decision {
	char rule[MSG_NAME_MAX];
	bool at;
	uint32_t page;
	int32_t x, y;
	bool again;
	char reject[ERR_TEXT_MAX];
	uint32_t uid;
	bool has_ticket;           /* it came by one, whose owner uid is */
	uint8_t ticket_hash[HASH_LEN];
	const struct buf *ticket_text; /* for outcome_release() alone */
};
/* The ticket by which the last decision came, as job.json shows it; a new reference, NULL: by none. */
json_t *decision_ticket(struct job *);
int outcome_release(struct job *, const struct decision *, struct err *);
int decision_get(struct job *, struct decision *ret, struct err *); /* 1, 0: none, -code */

/* withdraw.c: a job taken back, a seal declared void */
struct withdrawal {
	uint32_t uid;              /* who wants it */
	bool quiet;                /* the sender took the file away: nothing comes back, the bytes stay in quarantine */
	char text[ERR_TEXT_MAX];   /* why; may be "" */
};
/*
 * From claimed, rendered before the token was asked, or held, to refused with
 * ERR_DOC_WITHDRAWN and the entry `withdraw`; durable when this returns.
 * -ERR_USAGE: too late, or just being handed out.
 */
int job_withdraw(struct job *, const struct withdrawal *, struct err *);
/* For job_step(): does what a withdrawal asks for, when the job stands still. True: it is taken care of. */
bool withdraw_step(struct job *);
/* The record alone; job_withdraw() is the way there. */
int withdrawal_put(struct job *, const struct withdrawal *, struct err *);
int withdrawal_get(struct job *, struct withdrawal *ret, struct err *);
/* For the entry of a refused job. */
int entry_withdraw(struct job *, struct entry *, struct err *);

/*
 * receipt.c: who takes the receipt out of work/ before the token is asked takes
 * the document back (job_withdraw(), quiet); later it is a note in the log.
 */
void receipt_watch(struct core *); /* looks after all receipts from now on */
/* Looks now.  False: it is missing, and begins nothing until that is settled. */
bool receipt_there(struct job *);
/*
 * Looks.  True: this run has seen it in work/, or it has had its end there: a file
 * that lies under the job's name in the folder is another delivery, however alike.
 */
bool receipt_moved(struct job *);

/* jobjson.c */
int jobjson_build(struct job *, char **ret_text, struct err *);
int jobjson_stack(struct job *, char **ret_text, struct err *); /* of a stack that is divided */

/* logbook.c: entries, commits, checkpoints */
int logbook_open(struct core *, struct err *);    /* before the children */
void logbook_key_ready(struct core *);            /* the log's sealroom-seal said READY */
void logbook_job(struct core *, struct job *, struct entry *); /* fills what every entry of a job has */
int logbook_append(struct core *, struct entry *, uint64_t *ret_index, struct err *);
/*
 * A job's entry, once however often this is called: 1 when the log has it
 * (line: of several of this type, the one that holds it); else fill() makes
 * it, it is queued, and 0: the job is stepped when it is committed.
 */
int logbook_once(struct job *, struct entry *, const char *line, int (*fill)(struct job *, struct entry *, struct err *),
    struct err *);
/* Other settings are in force: their entry, and the settings beside the log. */
void logbook_config(struct core *);
/* Queued entries become durable at the next turn; then all jobs with log_wait are stepped. */
void logbook_commit_soon(struct core *);
/* A checkpoint that is due soon comes at once: nothing else is left to do. */
void logbook_publish_now(struct core *);
void logbook_stop(struct core *);
/* The log can not be trusted or written: never sign, stop. */
void logbook_fatal(struct core *, const struct err *);
#define STOPPED_FILE "stopped" /* below state/: "word text", why a person must act before the daemon goes on */
void logbook_remedy(struct core *, const struct err *);

/* Appends and makes durable at once: for what a person is waiting for. */
int logbook_say(struct core *, struct entry *, uint64_t *ret_index, struct err *);

/* recover.c */
int recover_jobs(struct core *, struct err *);
void recover_check(struct job *);        /* unchecked: its copy first, then it is stepped */
void recover_forget(struct job *);
/*
 * Directories of jobs whose claim could not be read are looked at again, with a
 * growing pause, until it can, or until they are gone.  Meanwhile nobody knows
 * whose delivery they are.
 */
struct unread_job {
	struct unread_job *next;
	enum spool_state state;
	char id[ID_MAX];
	struct err why;
};
/* Could one of them be of a file of this size?  Such a file is neither taken in nor given back. */
bool recover_unread_may_be(const struct core *, uint64_t size);
void recover_close(struct core *);

/* claiming.c: from the hot folder to claimed */
struct watch_file;
struct intake;
/* The unfinished job of this very delivery, or of one just like it; NULL: none. */
struct job *claiming_at_work(struct core *, const struct claim *);
/* Unfinished jobs but those that wait for a person, or for their folder. */
uint32_t claiming_jobs(const struct core *);
/* As many jobs as may be wait for this folder, which takes nothing back: nothing more is taken from it. */
bool claiming_folder_full(const struct core *, const struct conf_folder *);
/* No descriptor is left for one more; said to the admin. */
bool claiming_no_room(struct core *, struct err *);
void claiming_close(struct core *);       /* drops what is under way */
/* A child looks at the copy; of a long document it may say at once what it seems to be (inspect_params). */
void claiming_look(struct core *, struct intake *in, task_cb *, void *ctx);
/* A copy that was looked at becomes a job. */
int claiming_commit(struct core *, struct intake **in, const struct inspect_result *, char ret_id[ID_MAX], struct err *);
void claiming_on_quiet(void *ctx, const struct watch_file *);
int claiming_opened(void *ctx, const struct conf_folder *, int dir, int work, struct err *);
/* All jobs are known now: what claiming_opened() had to leave where it was. */
void claiming_know_all(struct core *);

#endif
