/*
 * markjson.h - the pages that show the seal, too, for people and programs.
 *
 *	[ { "pages": [ 1, 3 ], "box_pt": [ left, top, right, bottom ] } ]
 *
 * Pages of the result, from 1; points from the top left corner of the page as it is
 * shown.  Marks that stand at the same place are one entry, but for those on pages of
 * their own (struct seal_marks).  The same in job.json and in the answer of a trial.
 */
#ifndef SEALROOM_AGENT_MARKJSON_H
#define SEALROOM_AGENT_MARKJSON_H

#include <jansson.h>

#include "agent/lib/taskmsg.h"

/* A new list, empty without marks; NULL: no memory. */
json_t *mark_json(const struct seal_marks *);

#endif
