#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "seal/evidence/auditint.h"
#include "seal/evidence/er.h"

#define STEP 4096

static const struct entry *
last_batch(const struct audit *a)
{
	for (size_t i = a->nrecords; i-- > 0;)
		if (a->records[i].type == ENTRY_BATCH)
			return &a->records[i];
	return NULL;
}

/* One follows the other without a gap: in their numbers' order, in what they cover, in what they name. */
int
audit_record_entry(struct audit *a, const struct entry *x, struct err *e)
{
	const struct entry *before = a->nrecords > 0 ? &a->records[a->nrecords - 1] : NULL, *batch = last_batch(a);
	void *p;

	if (x->has_before != (before != NULL) ||
	    (before != NULL && (x->before != before->index || x->record <= before->record)))
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu does not name the record before it.",
		    (unsigned long long)x->index);
	if (x->type == ENTRY_BATCH &&
	    (x->range[0] != (batch == NULL ? 0 : batch->range[1] + 1) || x->range[1] < x->range[0] ||
	        x->range[2] <= x->range[1] || x->range[2] > x->index))
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu covers other entries than those behind the batch before it.",
		    (unsigned long long)x->index);
	if ((p = audit_grow(a->records, a->nrecords, &a->records_cap, sizeof(*a->records))) == NULL)
		return err_set(e, ERR_MEM, "audit");
	a->records = p;
	a->records[a->nrecords++] = *x;
	a->res->records += x->type == ENTRY_BATCH;
	a->res->renewals += x->type == ENTRY_RENEWAL;
	return audit_named(a, x, e);
}

/* --- trees --------------------------------------------------------------------------------- */

/* The tree of an entry; NULL: that is said. */
static struct hashtree *
read_tree(struct audit *a, const struct entry *x)
{
	uint8_t hash[HASH_LEN];
	char path[64];
	struct hashtree *t = NULL;
	struct err e = { 0 };

	snprintf(path, sizeof(path), "evidence/er/%u/tree", x->record);
	if (er_tree(a->dir, x->record, &t, &e) < 0) {
		audit_say_err(a, path, &e);
		return NULL;
	}
	hashtree_root(t, hash);
	if (memcmp(hash, x->root, HASH_LEN) == 0 && hashtree_count(t) == x->groups &&
	    (hashtree_head(t)->kind == HASHTREE_RENEWAL) == (x->type == ENTRY_RENEWAL))
		return t;
	audit_say(a, VERDICT_DISPROVEN, path, "is not the tree that entry %llu names.", (unsigned long long)x->index);
	hashtree_free(t);
	return NULL;
}

/* *ret: the tree that the log gives; NULL: that is said. */
static int
gather_again(struct audit *a, struct elog *l, const struct entry *x, struct hashtree **ret, struct err *e)
{
	struct er_gather *g;
	struct err why = { 0 };
	int r;

	*ret = NULL;
	if ((r = er_gather_new(&g, l, a->dir, x->range[0], x->range[1], x->range[2], &why)) == 0) {
		while ((r = er_gather_step(g, STEP, &why)) == 0)
			;
		if (r == 1)
			*ret = er_gather_take(g);
		er_gather_free(g);
	}
	if (r == -ERR_MEM) {
		*e = why;
		return r;
	}
	if (r < 0)
		audit_say_err(a, "evidence/er", &why);
	return 0;
}

static int
same_tree(const struct hashtree *x, const struct hashtree *y, struct err *e)
{
	AUTO_BUF a = { 0 }, b = { 0 };
	int r;

	buf_init(&a, HASHTREE_TEXT_MAX);
	buf_init(&b, HASHTREE_TEXT_MAX);
	if ((r = hashtree_text(x, &a, e)) < 0 || (r = hashtree_text(y, &b, e)) < 0)
		return r;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Each document of these entries and the log itself, and nothing else. */
static int
check_batch(struct audit *a, struct elog *l, const struct entry *x, struct err *e)
{
	struct hashtree *there = read_tree(a, x), *again = NULL;
	char path[64];
	int r = 0;

	if (there != NULL && (r = gather_again(a, l, x, &again, e)) == 0 && again != NULL &&
	    (r = same_tree(there, again, e)) == 0) {
		snprintf(path, sizeof(path), "evidence/er/%u/tree", x->record);
		audit_say(a, VERDICT_DISPROVEN, path, "is not made of the documents and the log that entry %llu names.",
		    (unsigned long long)x->index);
	}
	hashtree_free(there);
	hashtree_free(again);
	return r < 0 ? r : 0;
}

/* All time stamps over a batch before this renewal; 0: there is no such batch. */
static size_t
stamps_before(struct audit *a, struct hashtree *const *renewals, size_t at, uint64_t batch, uint8_t (*ret)[HASH_LEN])
{
	size_t n = 0;

	for (size_t i = 0; i < at && n < ER_CHAIN_MAX; i++) {
		const struct entry *x = &a->records[i];

		if (x->type == ENTRY_BATCH ? x->record == batch :
		                             n > 0 && renewals[i] != NULL && hashtree_find(renewals[i], HASHTREE_RECORD, batch) >= 0)
			memcpy(ret[n++], x->files[1].hash, HASH_LEN);
	}
	return n;
}

static int
by_hash(const void *x, const void *y)
{
	return memcmp(x, y, HASH_LEN);
}

/* Each group is a batch before it, with all its time stamps. */
static void
check_renewal(struct audit *a, struct hashtree *const *renewals, size_t at)
{
	const struct hashtree *t = renewals[at];
	uint8_t stamps[ER_CHAIN_MAX][HASH_LEN];
	char path[64];

	for (size_t i = 0; i < hashtree_count(t); i++) {
		const struct hashtree_group *g = hashtree_group(t, i);
		size_t n = strcmp(g->label, HASHTREE_RECORD) == 0 ? stamps_before(a, renewals, at, g->number, stamps) : 0;

		qsort(stamps, n, HASH_LEN, by_hash);
		if (n == g->n && n > 0 && memcmp(stamps, g->hashes, n * HASH_LEN) == 0)
			continue;
		snprintf(path, sizeof(path), "evidence/er/%u/tree", a->records[at].record);
		audit_say(a, VERDICT_DISPROVEN, path, "does not renew the time stamps of evidence/er/%llu.",
		    (unsigned long long)g->number);
	}
}

/* --- time stamps ------------------------------------------------------------------------------ */

static int
judge_batch(struct audit *a, struct hashtree *const *renewals, size_t at, struct err *e)
{
	const struct entry *x = &a->records[at];
	struct er_chain c = { .n = 1, .record = { x->record }, .checkpoint = x->range[2] };
	AUTO_FREE struct ers_result *res = calloc(1, sizeof(*res));
	AUTO_BUF objects = { 0 }, record = { 0 };
	struct err why = { 0 };
	char path[64];
	int r;

	if (res == NULL)
		return err_set(e, ERR_MEM, "audit");
	snprintf(path, sizeof(path), "evidence/er/%u/ts", x->record);
	buf_init(&objects, (size_t)ERS_OBJECTS_MAX * HASH_LEN);
	buf_init(&record, ERS_RECORD_MAX);
	for (size_t i = at + 1; i < a->nrecords; i++)
		if (renewals[i] != NULL && c.n < ER_CHAIN_MAX && hashtree_find(renewals[i], HASHTREE_RECORD, x->record) >= 0)
			c.record[c.n++] = a->records[i].record;
	if (er_compose(a->dir, &c, HASHTREE_LOG, c.checkpoint, &objects, &record, &why) < 0) {
		audit_say_err(a, path, &why);
		return 0;
	}
	if ((r = a->opt->judge(a->ctx, &objects, &record, res, e)) < 0)
		return r;
	a->res->judged++;
	if (res->verdict != VERDICT_PROVEN)
		audit_say(a, res->verdict, path, "the time stamps of this record do not hold: %s.",
		    res->nreasons > 0 ? res->reasons[0] : "no reason");
	else if (res->stamps[0].gen_time_us != x->stamped_us || res->stamps[0].not_after_us != x->until_us)
		audit_say(a, VERDICT_DISPROVEN, path, "says another time than entry %llu.", (unsigned long long)x->index);
	return 0;
}

/* --- what is there ------------------------------------------------------------------------------ */

static bool
is_named(const struct audit *a, const char *dir)
{
	char name[16];

	for (size_t i = 0; i < a->nrecords; i++) {
		snprintf(name, sizeof(name), "%u", a->records[i].record);
		if (strcmp(name, dir) == 0)
			return true;
	}
	return false;
}

static int
check_strays(struct audit *a, struct err *e)
{
	struct audit_list l, files;
	char path[64 + 256];
	int r = audit_list(a, "evidence/er", &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		snprintf(path, sizeof(path), "evidence/er/%s", l.v[i]);
		if (!is_named(a, l.v[i])) {
			audit_say(a, VERDICT_UNKNOWN, path, "is not named by the log.");
			continue;
		}
		if ((r = audit_list(a, path, &files, e)) < 0)
			break;
		if (files.n > 2) /* the two of its entry were looked at */
			audit_say(a, VERDICT_DISPROVEN, path, "holds other files than the log says.");
		free(files.v);
	}
	free(l.v);
	return r;
}

static int
check_all(struct audit *a, struct elog *l, struct hashtree **renewals, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->nrecords; i++) {
		if (a->records[i].type == ENTRY_BATCH)
			r = check_batch(a, l, &a->records[i], e);
		else if ((renewals[i] = read_tree(a, &a->records[i])) != NULL)
			check_renewal(a, renewals, i);
	}
	for (size_t i = 0; r == 0 && a->opt->judge != NULL && i < a->nrecords; i++)
		if (a->records[i].type == ENTRY_BATCH)
			r = judge_batch(a, renewals, i, e);
	return r;
}

int
audit_records(struct audit *a, struct err *e)
{
	struct hashtree **renewals;
	struct elog *l;
	struct err why = { 0 };
	int r;

	if (!a->whole)
		return 0; /* what they are made of could not be read */
	if ((r = check_strays(a, e)) < 0 || a->nrecords == 0)
		return r;
	if (elog_open(&l, a->dir, NULL, true, &why) < 0) {
		audit_say_err(a, "evidence/log", &why);
		return 0;
	}
	if ((renewals = calloc(a->nrecords, sizeof(struct hashtree *))) == NULL)
		r = err_set(e, ERR_MEM, "audit");
	else
		r = check_all(a, l, renewals, e);
	for (size_t i = 0; renewals != NULL && i < a->nrecords; i++)
		hashtree_free(renewals[i]);
	free(renewals);
	elog_free(l);
	return r;
}
