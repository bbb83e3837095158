/*
 * msgs.h - every message between two processes, declared once.
 *
 * One SOCK_SEQPACKET datagram each: header {u32 type, u32 seq, u32 len}, then
 * len bytes of payload (agent/lib/buf.h encoding), at most 64 KiB in all and
 * at most 3 descriptors.  Anything longer travels as a descriptor.
 *
 * The table gives who may send what to whom, its largest payload and its
 * number of descriptors.  wire_recv() refuses everything else with ERR_PEER;
 * the core kills such a peer.  Which message is allowed when is the state
 * machine of the receiver (agent/childtalk.c, agent/childtask.c, agent/lib/task.c,
 * seal/seal.c).
 *
 * c core, z zygote (scan, verify, fetch), k task child of a zygote, s seal.
 *
 * Payloads:
 *   HELLO      u32 role, str build id, str token name ("" but for seal)
 *   SETTINGS   u32 flags (SETTINGS_*); descriptor 0: memfd, see settings_*() in
 *              agent/lib/taskmsg.h; seal of a token only, descriptor 1: state/tokens/NAME O_RDWR, unless NO_LOGIN,
 *              and with SETTINGS_PIN descriptor 2: a pipe that holds the PIN
 *   READY      role's own facts: struct ready_scan / ready_seal in taskmsg.h
 *   TASK       u32 task, u32 kind, u32 as_mib, u32 cpu_s, u64 fsize, blob params;
 *              descriptors: child's own socket, in, out
 *   STARTED    u32 task; descriptor: pidfd
 *   KILL       u32 task; where the core may not signal the child itself: a zygote of another user
 *   EXIT       u32 task, i32 wait status, u64 maxrss KiB, u64 cpu microseconds
 *   RESULT     the kind's result (taskmsg.h); final
 *   FAIL       u32 code, u32 page, str text; final (k), before exit (s, z); page of s: MSG_UNASKED, or 0
 *   PROGRESS   u32 done, u32 of
 *   PAGE_WANT  u32 page (0-based); one outstanding
 *   PAGE       u32 page; descriptor: page result, read only
 *   SIGN       u32 ticket, str job, u32 attempt, 32 bytes SHA-256 of the byte ranges
 *   SIGNED     u32 ticket, blob CMS, 32 bytes imprint = SHA-256 of the signature value
 *   REFUSED    u32 ticket, u32 code, u32 MSG_UNASKED or 0, str text: this SIGN or NOTE failed, the process lives on
 *   STATUS     empty (c to s); answer: struct ready_seal
 *   NOTE       str origin, u64 size, 32 bytes root
 *   NOTED      blob signed checkpoint
 */
#ifndef SEALROOM_MSGS_H
#define SEALROOM_MSGS_H

#include <stdint.h>

#define WIRE_FD 3               /* the socket every child finds at start */
#define WIRE_MAX (64 * 1024)
#define WIRE_HEADER 12
#define WIRE_PAYLOAD (WIRE_MAX - WIRE_HEADER)
#define WIRE_FDS 3
#define MSG_UNASKED 1           /* the token was not asked for this signature: surely there is none */

enum role { ROLE_CORE = 1, ROLE_SCAN, ROLE_VERIFY, ROLE_FETCH, ROLE_SEAL, ROLE_TASK, ROLE_COUNT };

#define C (1u << ROLE_CORE)
#define Z (1u << ROLE_SCAN | 1u << ROLE_VERIFY | 1u << ROLE_FETCH)
#define K (1u << ROLE_TASK)
#define S (1u << ROLE_SEAL)
#define F (1u << ROLE_FETCH)

/* clang-format off */
#define MSGS(X) /* name, from, to, largest payload, fewest and most descriptors */ \
	X(HELLO,     Z | S,     C,         256,          0, 0) \
	X(SETTINGS,  C,         Z | S,     16,           1, 3) \
	X(READY,     Z | S,     C,         WIRE_PAYLOAD, 0, 0) \
	X(TASK,      C,         Z,         WIRE_PAYLOAD, 1, 3) \
	X(STARTED,   Z,         C,         8,            1, 1) \
	X(KILL,      C,         F,         4,            0, 0) \
	X(EXIT,      Z,         C,         32,           0, 0) \
	X(RESULT,    K,         C,         WIRE_PAYLOAD, 0, 0) \
	X(FAIL,      Z | S | K, C,         256,          0, 0) \
	X(PROGRESS,  K,         C,         8,            0, 0) \
	X(PAGE_WANT, K,         C,         4,            0, 0) \
	X(PAGE,      C,         K,         4,            1, 1) \
	X(SIGN,      C,         S,         96,           0, 0) \
	X(SIGNED,    S,         C,         WIRE_PAYLOAD, 0, 0) \
	X(REFUSED,   S,         C,         256,          0, 0) \
	X(STATUS,    C | S,     C | S,     WIRE_PAYLOAD, 0, 0) \
	X(NOTE,      C,         S,         320,          0, 0) \
	X(NOTED,     S,         C,         2048,         0, 0)
/* clang-format on */

enum msg_type {
	MSG_NONE = 0,
#define X(name, from, to, max, least, most) MSG_##name,
	MSGS(X)
#undef X
	MSG_COUNT
};

#undef C
#undef Z
#undef K
#undef S
#undef F

/* Kinds of task; a zygote refuses kinds that are not its own. */
enum task_kind_id {
	TASK_INSPECT = 1, /* scan */
	TASK_PAGE,
	TASK_COMPOSE,
	TASK_EXPLAIN,
	TASK_FIELD,
	TASK_FINISH,
	TASK_SIGS,
	TASK_PICTURE,
	TASK_KEPT_PAGE, /* as TASK_PAGE and TASK_PICTURE, of a PDF that keeps its bytes: drawn with fonts */
	TASK_KEPT_PICTURE,
	TASK_FILES,
	TASK_PROOF,
	TASK_PART,
	TASK_ATTACH = 32, /* verify */
	TASK_JUDGE,
	TASK_RECORD,
	TASK_STAMP = 64,  /* fetch */
	TASK_PROBE,
};

/*
 * Children of one zygote at a time: the core begins no more, and the zygote takes no more.  Who
 * has taken long (agent/aside.h) goes on beside the fresh; who waits for the network stays fresh.
 */
#define TASKS_FRESH(role) ((role) == ROLE_FETCH ? 8u : 16u)
#define TASKS_LONG(role) ((role) == ROLE_FETCH ? 0u : 12u)
#define TASKS_MOST(role) (TASKS_FRESH(role) + TASKS_LONG(role))

#endif
