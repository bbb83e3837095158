/*
 * continued.h - a name that is written again soon after it was taken.
 *
 * A sender that writes page by page may pause for longer than `settle`: then a part
 * was taken for the whole, and the whole comes under the same name.  From outside
 * nobody can tell that from a new document; so it is said, of this run's documents.
 *
 *	continued_note(&seen, folder, name, source, id, now_ms)
 */
#ifndef SEALROOM_CONTINUED_H
#define SEALROOM_CONTINUED_H

#include <stdint.h>

#include "agent/lib/hash.h"
#include "agent/lib/id.h"

#define CONTINUED_MS (10 * 60 * 1000)
#define CONTINUED_NAMES 512 /* the oldest are forgotten first */

struct continued {
	struct {
		uint8_t name[HASH_LEN]; /* of folder and name */
		uint8_t source[HASH_LEN];
		char id[ID_MAX];
		uint64_t ms;
	} taken[CONTINUED_NAMES];
	uint32_t next;
};

/*
 * Remembers that job id took this.  The job that took other bytes under this name
 * within CONTINUED_MS before, the latest of them; NULL: none.  Valid until the next call.
 */
const char *continued_note(struct continued *, const char *folder, const char *name, const uint8_t source[HASH_LEN],
    const char *id, uint64_t now_ms);

#endif
