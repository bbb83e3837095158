#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/admit.h"
#include "agent/earlier.h"
#include "agent/jsonput.h"
#include "agent/messages.h"
#include "agent/outcome.h"

#define JOBJSON_MAX (1024u * 1024)

/* --- what every result has ------------------------------------------------------------- */

static json_t *
j_fields(const struct ticket *t)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < t->nfields; i++)
		json_put(&o, t->fields[i].key, json_string(t->fields[i].value));
	return o;
}

static json_t *
j_hash(const uint8_t h[HASH_LEN])
{
	char hex[HASH_HEX];

	hash_hex(h, hex);
	return json_string(hex);
}

static json_t *
head(struct job *j, const char *status)
{
	char shown[3 * SPOOL_NAME_MAX], received[CLOCK_ISO_MAX];
	const struct ticket *t;
	struct err bad; /* a ticket that cannot be read has nothing to give back */
	json_t *o;

	path_display(j->claim.name, shown, sizeof(shown));
	clock_iso_us(j->claim.received_us, received);
	o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:{s:s, s:I, s:o}}", "v", 1, "status", status, "job", j->claim.id, "folder",
	    j->claim.folder, "received", received, "source", "name", shown, "size", (json_int_t)j->claim.size, "sha256",
	    j_hash(j->claim.hash));
	if (o == NULL || admit_ticket(j, &t, &bad) < 0 || t == NULL)
		return o;
	if (t->reference[0] != '\0')
		json_put(&o, "reference", json_string(t->reference));
	if (t->nfields > 0)
		json_put(&o, "fields", j_fields(t));
	return o;
}

/* --- sealed ---------------------------------------------------------------------------- */

static int
add_sealed(json_t **o, int dir, struct err *e)
{
	AUTO_FD fd = openat(dir, "sealed.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t hash[HASH_LEN];
	uint64_t size;
	int r;

	if (fd < 0)
		return err_sys(e, ERR_IO, "sealed.pdf");
	if ((r = io_size(fd, &size, e)) < 0 || (r = hash_fd(fd, 0, size, hash, e)) < 0)
		return r;
	json_put(o, "sealed", json_pack("{s:I, s:o}", "size", (json_int_t)size, "sha256", j_hash(hash)));
	return 0;
}

/* From job.json, which is archived: all but the salt, which hides names, and what the head has. */
static int
add_jobjson(json_t **o, int dir, struct err *e)
{
	static const char *const keys[] = { "rule", "pages", "values", "place", "seal", "blank", "blank_dropped", "size_estimated",
		"unread", "same_as", "signatures" };
	json_t *job;
	AUTO_BUF b;
	int r;

	buf_init(&b, JOBJSON_MAX);
	if ((r = record_get(dir, "job.json", &b, e)) < 0)
		return r;
	if ((job = json_loadb((const char *)b.data, b.len, 0, NULL)) == NULL)
		return err_set(e, ERR_IO, "job.json is damaged");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(job, keys[i]) != NULL)
			json_put(o, keys[i], json_incref(json_object_get(job, keys[i])));
	json_decref(job);
	return 0;
}

/* id and dir: of the job that was sealed, which may be an earlier one. */
static int
add_proof(json_t **o, struct core *c, const char *id, const char *path, struct err *e)
{
	/* an entry comes after the log's head that stands inside its seal */
	json_int_t from = json_integer_value(json_object_get(json_object_get(*o, "seal"), "log_size_inside"));
	uint64_t at;
	int r;

	if ((r = elog_find(c->elog, ENTRY_JOB, id, NULL, from > 0 ? (uint64_t)from : 0, &at, e)) < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_IO, "the log has no entry of job %s", id);
	json_put(o, "archive", json_string(path));
	json_put(o, "log", json_pack("{s:s, s:I}", "origin", c->conf->evidence.origin, "index", (json_int_t)at));
	return 0;
}

static json_t *
fail(json_t *o)
{
	json_decref(o);
	return NULL;
}

json_t *
resultjson_sealed(struct job *j, const char *id, int dir, const char *path, struct err *e)
{
	json_t *o = head(j, "sealed");

	if (strcmp(id, j->claim.id) != 0)
		json_put(&o, "repeats", json_string(id));
	if (add_sealed(&o, dir, e) < 0 || add_jobjson(&o, dir, e) < 0 || add_proof(&o, j->core, id, path, e) < 0)
		return fail(o);
	if (o == NULL)
		err_set(e, ERR_MEM, "result");
	return o;
}

/* --- held, refused, withdrawn ---------------------------------------------------------- */

json_t *
resultjson_reason(struct job *j, const char *status, const struct question_record *q, struct err *e)
{
	struct message m;
	json_t *o = head(j, status), *why, *signatures;
	int r;

	message_make(j->folder->language, &q->why, q->word, &m);
	why = json_pack("{s:s, s:s, s:s, s:s}", "code", err_word(q->why.code), "text", q->why.text, "what", m.what, "now",
	    m.now);
	if (q->why.page > 0)
		json_put(&why, "page", json_integer(q->why.page));
	if (q->say[0] != '\0')
		json_put(&why, "remark", json_string(q->say));
	json_put(&o, "reason", why);
	if ((r = earlier_wanted(j, e)) < 0)
		return fail(o);
	if (j->inspect.sigs > 0 && r == 0) {
		if ((signatures = earlier_json(j, e)) == NULL)
			return fail(o);
		json_put(&o, "signatures", signatures);
	}
	if (strcmp(status, "held") == 0)
		json_put(&o, "question", json_integer(q->n));
	if (o == NULL)
		err_set(e, ERR_MEM, "result");
	return o;
}
