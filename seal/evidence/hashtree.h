/*
 * hashtree.h - the hash tree of an evidence record (RFC 4998, 4.2): what one time
 * stamp covers, as groups of hashes.  Always SHA-256.
 *
 *	hashtree_new(&t, &head, &e)
 *	hashtree_add(t, label, number, hashes, n, &e)   a group; in any order
 *	hashtree_close(t)                               sorted; the root is known
 *	hashtree_text(t, &out)                          the file "tree"
 *	hashtree_reduced(t, group, &out)                what leads from a group to the root, DER
 *	hashtree_free(t)
 *
 * A group is a document with all its files: its hashes in ascending order, each
 * once.  Its leaf is the hash of all of them in a row, or of a group of one that
 * hash itself.  Leaves are sorted; two neighbours and their father, the hash of
 * the smaller and the larger; a last one without a neighbour goes up as it is.
 *
 * The text is made of lines, so that it can be checked with a shell:
 *
 *	sealroom-tree/v1
 *	kind documents | renewal
 *	hash sha256
 *	entries 12 407              documents: of the log, the first and the last
 *	checkpoint 410              documents: size of the log that the group "log" is about
 *	groups 17
 *	<label> <number> <hash> <hash> ...     in the order of the leaves
 *
 * documents: label is the job, number its entry; and one group "log": the
 * checkpoint and the bundles with these entries.  renewal: label "record", number
 * that of a record, its hashes those of all its time stamps so far.
 *
 * There is one text for one tree: hashtree_parse() accepts what hashtree_text()
 * writes.  Memory is about the size of the text.
 */
#ifndef SEALROOM_HASHTREE_H
#define SEALROOM_HASHTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"

#define HASHTREE_GROUPS_MAX 65537u      /* 65,536 documents and the log */
#define HASHTREE_MEMBERS_MAX 8192u      /* of one group */
#define HASHTREE_TEXT_MAX ((size_t)32 * 1024 * 1024)
#define HASHTREE_LOG "log"
#define HASHTREE_RECORD "record"

enum hashtree_kind { HASHTREE_DOCUMENTS, HASHTREE_RENEWAL };

struct hashtree_head {
	enum hashtree_kind kind;
	uint64_t first, last; /* documents: entries of the log */
	uint64_t checkpoint;  /* documents */
};

struct hashtree_group {
	char label[ID_MAX];
	uint64_t number;
	uint32_t n;                    /* members */
	const uint8_t (*hashes)[HASH_LEN]; /* ascending */
	uint8_t leaf[HASH_LEN];
};

struct hashtree; /* opaque: hashtree.c */

int hashtree_new(struct hashtree **ret, const struct hashtree_head *, struct err *);
void hashtree_free(struct hashtree *); /* NULL is fine */
/* n from 1. Too many groups or members: -ERR_LOG. */
int hashtree_add(struct hashtree *, const char *label, uint64_t number, const uint8_t (*hashes)[HASH_LEN], size_t n,
    struct err *);
/* Before it is closed: it ends with this entry already. */
void hashtree_cut(struct hashtree *, uint64_t last);
/* Two groups of one label and number: -ERR_LOG; so is a tree without any. */
int hashtree_close(struct hashtree *, struct err *);

const struct hashtree_head *hashtree_head(const struct hashtree *);
void hashtree_root(const struct hashtree *, uint8_t ret[HASH_LEN]);
size_t hashtree_count(const struct hashtree *); /* of groups */
const struct hashtree_group *hashtree_group(const struct hashtree *, size_t i);
/* Its place among the groups; -1: none. */
long hashtree_find(const struct hashtree *, const char *label, uint64_t number);

int hashtree_text(const struct hashtree *, struct buf *out, struct err *);
int hashtree_parse(const void *, size_t, struct hashtree **ret, struct err *);

/*
 * PartialHashtrees in a row (RFC 4998, 4.3), the group's own first: the content of
 * reducedHashtree.  Nothing for the only group with the only hash, which then is
 * the root.  A group of one hash stands in the list of its first neighbour: whether
 * a list of one is hashed once more, readers do not agree on.
 */
int hashtree_reduced(const struct hashtree *, size_t group, struct buf *out, struct err *);

#endif
