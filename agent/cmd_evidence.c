#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/er.h"
#include "seal/evidence/log.h"
#include "seal/evidence/merkle.h"

#include "agent/cmd.h"
#include "agent/cmd_record.h"

#define PREFIX_MIN 8 /* characters of an id that a person must give */
#define PROOF_MAX (65536 + 8192) /* a checkpoint with all its signatures, and the hashes */

/* --- list ------------------------------------------------------------------------------ */

static json_t *
entry_json(const struct entry *x)
{
	char time[CLOCK_ISO_MAX];
	json_t *o;

	clock_iso_us(x->time_us, time);
	o = json_pack("{s:I, s:s, s:s}", "index", (json_int_t)x->index, "time", time, "type", entry_type_word(x->type));
	if (x->job[0] != '\0')
		json_object_set_new(o, "job", json_string(x->job));
	if (x->folder[0] != '\0')
		json_object_set_new(o, "folder", json_string(x->folder));
	if (x->path[0] != '\0')
		json_object_set_new(o, "archive", json_string(x->path));
	if (x->has_sealed)
		json_object_set_new(o, "level", json_string(level_name(x->level)));
	if (x->reason[0] != '\0')
		json_object_set_new(o, "reason", json_string(x->reason));
	if (x->text[0] != '\0' && utf8_valid(x->text, strlen(x->text)))
		json_object_set_new(o, "text", json_string(x->text));
	return o;
}

static void
entry_line(const struct entry *x)
{
	char time[CLOCK_ISO_MAX], text[1600];

	clock_iso(x->time_us, time);
	printf("%6llu  %s  %-8s  %-26s  %s", (unsigned long long)x->index, time, entry_type_word(x->type),
	    x->job[0] != '\0' ? x->job : "-", x->folder[0] != '\0' ? x->folder : "-");
	if (x->type == ENTRY_JOB)
		printf("  %s  %s", x->has_sealed ? level_name(x->level) : "-", x->path);
	if (x->type == ENTRY_DIVIDE)
		printf("  %s", x->path);
	if (x->type == ENTRY_KEY)
		printf("  %s %s", x->key_role, x->key_name);
	if (x->type == ENTRY_BREAK)
		printf("  %llu -> %llu", x->has_anchor ? (unsigned long long)x->anchor_size : 0ull, (unsigned long long)x->disk_size);
	if (x->type == ENTRY_BATCH)
		printf("  er/%u  %llu to %llu", x->record, (unsigned long long)x->range[0], (unsigned long long)x->range[1]);
	if (x->type == ENTRY_RENEWAL)
		printf("  er/%u  of %u", x->record, x->groups);
	if (x->reason[0] != '\0')
		printf("  %s", x->reason);
	if (x->text[0] != '\0') {
		path_display(x->text, text, sizeof(text));
		printf("%s  %s", x->reason[0] != '\0' ? ":" : "", text);
	}
	putchar('\n');
}

static void
entry_print(const struct cmd_args *a, const struct entry *x, bool first)
{
	json_t *o;

	if (!a->json) {
		entry_line(x);
		return;
	}
	printf(first ? "\n" : ",\n");
	json_dumpf(o = entry_json(x), stdout, JSON_COMPACT);
	json_decref(o);
}

/* All entries, or those of one id; one at a time, so that a log of any length can be listed. */
static int
list_entries(const struct cmd_args *a, struct elog *l, const char *prefix, bool *any, struct err *e)
{
	AUTO_BUF b = { 0 };
	struct entry x;
	int r;

	buf_init(&b, ENTRY_MAX);
	for (uint64_t i = 0; i < elog_size(l); i++) {
		if ((r = elog_entry(l, i, &b, e)) < 0 || (r = entry_parse(b.data, b.len, &x, e)) < 0)
			return r;
		if (prefix != NULL && strncmp(x.job, prefix, strlen(prefix)) != 0)
			continue;
		entry_print(a, &x, !*any);
		*any = true;
	}
	return 0;
}

/* With --json: one array, also when it breaks off; then its last element says why. */
static int
list(struct cmd_args *a, struct elog *l, const char *prefix, struct err *e)
{
	bool any = false;
	json_t *o;
	int r;

	if (a->json)
		printf("[");
	r = list_entries(a, l, prefix, &any, e);
	if (!a->json)
		return r;
	if (r < 0) {
		printf(any ? ",\n" : "\n");
		json_dumpf(o = json_pack("{s:s, s:s}", "error", err_word(e->code), "text", e->text), stdout, JSON_COMPACT);
		json_decref(o);
		a->json = false; /* it was said */
	}
	printf("\n]\n");
	return r;
}

/* --- head ------------------------------------------------------------------------------ */

static int
head(const struct cmd_args *a, struct elog *l, struct err *e)
{
	uint8_t root[HASH_LEN];
	char hex[HASH_HEX];
	int r;

	if (elog_published(l) == 0)
		return err_set(e, ERR_IO, "nothing was signed yet; %llu entries wait", (unsigned long long)elog_size(l));
	if ((r = elog_root(l, elog_published(l), root, e)) < 0)
		return r;
	if (!a->json) {
		printf("%s", elog_head(l));
		return 0;
	}
	hash_hex(root, hex);
	cmd_json(json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "log", elog_origin(l), "size", (json_int_t)elog_published(l),
	    "entries", (json_int_t)elog_size(l), "root", hex, "vkey", elog_vkey(l), "checkpoint", elog_head(l)));
	return 0;
}

/* --- prove ----------------------------------------------------------------------------- */

/* The entry that ends the job, else its last one; id gets the whole job id. */
static int
find_job(struct elog *l, const char *prefix, char id[ID_MAX], uint64_t *ret_index, struct err *e)
{
	AUTO_BUF b = { 0 };
	enum entry_type type;
	char job[ID_MAX];
	bool final = false;
	int r;

	id[0] = '\0';
	buf_init(&b, ENTRY_MAX);
	for (uint64_t i = 0; i < elog_size(l); i++) {
		if ((r = elog_entry(l, i, &b, e)) < 0 || (r = entry_peek(b.data, b.len, &type, job, e)) < 0)
			return r;
		if (job[0] == '\0' || strncmp(job, prefix, strlen(prefix)) != 0)
			continue;
		if (id[0] != '\0' && strcmp(id, job) != 0)
			return err_set(e, ERR_USAGE, "both %s and %s begin so: give more characters", id, job);
		memcpy(id, job, ID_MAX);
		if (!final)
			*ret_index = i;
		final = final || type == ENTRY_JOB || type == ENTRY_REJECT || type == ENTRY_WITHDRAW ||
		    type == ENTRY_REPEAT || type == ENTRY_DIVIDE;
	}
	return id[0] != '\0' ? 0 : err_set(e, ERR_USAGE, "the log has no job %.26s", prefix);
}

static void
explain(const char *id, const char *leaf, const struct elog *l)
{
	printf("%s.entry         the entry, byte for byte\n"
	       "%s.tlog-proof    the proof that it is in the log (c2sp.org/tlog-proof@v1)\n\n"
	       "To check them without this program:\n"
	       "1. The lines \"file\" of the entry are the names, sizes and hashes of what was archived:\n"
	       "     sha256sum original.* sealed.pdf job.json\n"
	       "2. The hash of the entry in the log's tree is that of a zero byte and the entry:\n"
	       "     (printf '\\000'; cat %s.entry) | sha256sum\n"
	       "     %s\n"
	       "3. Any verifier of such proofs leads from it to the signed checkpoint at the end of the proof, with the key\n"
	       "     %s\n"
	       "   The archive's README.txt has the rules and a script that computes the whole tree.\n",
	    id, id, id, leaf, elog_vkey(l));
}

static int
prove(const struct cmd_args *a, struct elog *l, const char *prefix, const char *out, struct err *e)
{
	AUTO_BUF entry = { 0 }, proof = { 0 };
	char id[ID_MAX], name[ID_MAX + 16], hex[HASH_HEX];
	uint8_t leaf[HASH_LEN];
	struct merkle *m;
	uint64_t index = 0;
	AUTO_FD dir = -1;
	int r;

	buf_init(&entry, ENTRY_MAX);
	buf_init(&proof, PROOF_MAX);
	if ((r = find_job(l, prefix, id, &index, e)) < 0 || (r = elog_entry(l, index, &entry, e)) < 0 ||
	    (r = elog_prove(l, index, &proof, e)) < 0 || (dir = r = io_open_dir(AT_FDCWD, out, e)) < 0)
		return r;
	snprintf(name, sizeof(name), "%s.entry", id);
	if ((r = io_replace(dir, name, entry.data, entry.len, 0644, e)) < 0)
		return r;
	snprintf(name, sizeof(name), "%s.tlog-proof", id);
	if ((r = io_replace(dir, name, proof.data, proof.len, 0644, e)) < 0)
		return r;
	m = merkle_new();
	merkle_leaf(m, entry.data, entry.len, leaf);
	merkle_free(m);
	hash_hex(leaf, hex);
	if (!a->json)
		explain(id, hex, l);
	else
		cmd_json(json_pack("{s:s, s:I, s:I, s:s, s:s, s:s#, s:s#}", "job", id, "index", (json_int_t)index, "size",
		    (json_int_t)elog_published(l), "leaf", hex, "vkey", elog_vkey(l), "entry", (const char *)entry.data,
		    (int)entry.len, "proof", (const char *)proof.data, (int)proof.len));
	return 0;
}

/* --- the verb -------------------------------------------------------------------------- */

/* The log of --archive DIR, else of the settings; also while the daemon runs or is down. */
static int
open_log(struct cmd_args *a, const char *archive, int *ret_dir, struct elog **ret, struct err *e)
{
	struct conf *conf = NULL;
	int dir, r;

	if (archive == NULL) {
		if ((r = cmd_conf(a, &conf)) != 0)
			return r;
		archive = conf->archive.path;
	}
	dir = io_open_dir(AT_FDCWD, archive, e);
	r = dir < 0 ? dir : elog_open(ret, dir, NULL, true, e);
	*ret_dir = dir;
	conf_free(conf);
	return r;
}

/* Of one job; without one, of the log up to the last batch. */
static int
export(struct elog *l, int archive, const char *prefix, const char *out, struct err *e)
{
	uint64_t index = 0, end = elog_size(l);
	char id[ID_MAX];
	struct entry x;
	int r;

	if (prefix != NULL)
		return (r = find_job(l, prefix, id, &index, e)) < 0 ? r : cmd_record_export(l, archive, id, index, out, e);
	while ((r = er_last(l, &end, UINT64_MAX, &x, e)) == 1 && x.type != ENTRY_BATCH)
		;
	if (r <= 0)
		return r < 0 ? r : err_set(e, ERR_LATER, "no time stamp covers the log yet");
	return cmd_record_export(l, archive, NULL, x.range[1], out, e);
}

/* How many words a verb takes behind it. */
static const struct {
	const char *verb;
	int least, most;
} verbs[] = { { "list", 0, 1 }, { "head", 0, 0 }, { "prove", 1, 1 }, { "export", 0, 1 } };

static bool
verb_fits(const char *verb, int words, const char *id)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].verb, verb) == 0)
			return words >= verbs[i].least && words <= verbs[i].most &&
			    (id == NULL || (strlen(id) >= PREFIX_MIN && strlen(id) <= ID_LEN));
	return false;
}

int
cmd_evidence(struct cmd_args *a)
{
	const char *archive = NULL, *out = NULL, *roots = NULL, *verb, *id;
	struct elog *l = NULL;
	struct err e = { 0 };
	AUTO_FD dir = -1;
	int r;

	if (a->argc > 1 && strcmp(a->argv[1], "resume") == 0)
		return cmd_evidence_resume(a);
	if (cmd_option(a, "--archive", &archive) < 0 || cmd_option(a, "--out", &out) < 0 ||
	    cmd_option(a, "--trust", &roots) < 0 || a->argc < 2)
		return cmd_usage(a);
	verb = a->argv[1];
	if (strcmp(verb, "verify") == 0)
		return cmd_record_verify(a, roots);
	if (strcmp(verb, "renew") == 0)
		return cmd_record_renew(a);
	id = a->argc > 2 ? a->argv[2] : NULL;
	if (!verb_fits(verb, a->argc - 2, id))
		return cmd_usage(a);
	if ((r = open_log(a, archive, &dir, &l, &e)) > 0)
		return r; /* mistakes in the settings: all said */
	if (r == 0)
		r = strcmp(verb, "list") == 0 ? list(a, l, id, &e) :
		    strcmp(verb, "head") == 0 ? head(a, l, &e) :
		    strcmp(verb, "prove") == 0 ? prove(a, l, id, out != NULL ? out : ".", &e) :
		                                 export(l, dir, id, out, &e);
	elog_free(l);
	return r < 0 ? cmd_fail(a, &e) : cmd_done(EX_OK);
}
