/*
 * cmd_sigs.h - the signatures of a file, found by a scan child, hashed by this
 * process, judged by a verify child: for commands that look at a file.
 *
 *	struct cmd_sigs s = { .loop = l, .children = c, .file = fd, .file_len = n, .err = &err };
 *	cmd_sigs_judge(&s)
 *
 * Those in front of the last signature, whose seal it is about, are judged as
 * another's (judge_params.earlier).
 */
#ifndef SEALROOM_CMD_SIGS_H
#define SEALROOM_CMD_SIGS_H

#include "agent/children.h"
#include "agent/lib/loop.h"

struct cmd_sigs {
	struct loop *loop;
	struct children *children;
	int file;
	uint64_t file_len;
	struct err *err;             /* also set by whoever sees a program fail to start: nothing is waited for then */
	bool document;               /* *err is the document's fault */
	int list;
	struct sigs_result sigs;
	struct judge_params params;
	struct judge_result judged;
};

int cmd_sigs_judge(struct cmd_sigs *);

#endif
