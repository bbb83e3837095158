#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/path.h"

#include "agent/admit.h"
#include "agent/attached.h"
#include "agent/earlier.h"
#include "agent/jsonput.h"
#include "agent/markjson.h"
#include "agent/sealing.h"
#include "agent/stack.h"

static json_t *
j_hash(const uint8_t h[HASH_LEN])
{
	char hex[HASH_HEX];

	hash_hex(h, hex);
	return json_string(hex);
}

static json_t *
j_time(int64_t us)
{
	char t[CLOCK_ISO_MAX];

	clock_iso_us(us, t);
	return json_string(t);
}

static json_t *
j_source(const struct job *j)
{
	char shown[3 * SPOOL_NAME_MAX], escaped[3 * SPOOL_NAME_MAX];

	path_display(j->claim.name, shown, sizeof(shown));
	path_escape(j->claim.name, escaped, sizeof(escaped));
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:I}", "name", shown, "name_escaped", escaped, "type",
	    doc_kind_name(j->inspect.kind), "size", (json_int_t)j->claim.size, "sha256", j_hash(j->claim.hash),
	    "mtime", j_time(j->claim.mtime_ns / 1000), "owner_uid", (json_int_t)j->claim.owner);
}

/* The exact bytes, so that what was asked for is proven with the document; sha256 is that of the text. */
static json_t *
j_ticket(const struct job *j, struct err *e)
{
	json_t *o;
	AUTO_BUF b;

	buf_init(&b, TICKET_MAX + 1);
	if (record_get(j->dir, "ticket", &b, e) < 0)
		return NULL;
	o = json_pack("{s:I, s:o, s:o}", "owner_uid", (json_int_t)j->claim.ticket.owner, "sha256",
	    j_hash(j->claim.ticket.hash), "text", json_stringn((const char *)b.data, b.len));
	if (o == NULL)
		err_set(e, ERR_MEM, "job.json");
	return o;
}

static double
mm(int32_t mpt)
{
	return (double)((mpt * 254LL + 360) / 720) / 1000.0;
}

static json_t *
j_place(const struct compose_result *p)
{
	const struct box *b = &p->place_box;

	if (p->place != PLACE_BOX)
		return json_pack("{s:b}", "visible", 0);
	return json_pack("{s:b, s:i, s:f, s:f, s:f, s:f}", "visible", 1, "page", (int)p->place_page + 1, "x_mm",
	    mm(b->x0), "y_mm", mm(b->y0), "width_mm", mm(b->x1 - b->x0), "height_mm", mm(b->y1 - b->y0));
}

static json_t *
j_values(const struct compose_result *p)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < p->nvalues; i++)
		json_put(&o, p->values[i].key, json_string(p->values[i].value));
	return o;
}

static json_t *
j_seal(const struct job *j, const struct prep *p)
{
	const struct judged_sig *s = &j->judged->sigs[j->ours];
	json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:I}", "name", j->plan->seal, "token", p->token,
	    "signer", s->signer, "certificate_sha256", j_hash(p->cert_hash), "level", level_name(s->level),
	    "qualified", s->qualified, "time_claimed", j_time(p->time_us), "attempt", (json_int_t)j->attempt,
	    "log_size_inside", (json_int_t)p->log_size);

	if (s->gen_time_us != 0) {
		json_put(&o, "time_stamp", j_time(s->gen_time_us));
		json_put(&o, "time_stamp_sha256", j_hash(s->token_hash));
		json_put(&o, "time_stamp_signer", json_string(s->tsa_signer));
	}
	return o;
}

/* How pages were found that stand out, as they came; "dropped": they are not in the result. */
static void
add_pages(json_t **o, const char *key, const struct page_set *s)
{
	json_t *list;

	if (page_set_count(s) == 0)
		return;
	list = json_array();
	for (uint32_t i = 0; i < s->pages; i++)
		if (page_set_has(s, i) && json_array_append_new(list, json_integer(i + 1)) < 0) {
			json_decref(list);
			list = NULL;
		}
	json_put(o, key, list);
}

int
jobjson_build(struct job *j, char **ret_text, struct err *e)
{
	struct prep p;
	json_t *o, *ticket, *files, *earlier, *stack = NULL, *decided = decision_ticket(j);
	char same[ID_MAX];
	int r, known = 0;

	if ((r = prep_get(j, "prep", &p, e)) < 0 || (r = known = admit_same_as(j, same, e)) < 0) {
		json_decref(decided);
		return r;
	}
	o = json_pack("{s:i, s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:i, s:o, s:o, s:o}", "v", 1, "id", j->claim.id,
	    "folder", j->claim.folder, "source", j_source(j), "salt", j->claim.salt, "received",
	    j_time(j->claim.received_us), "rule", j->plan->rule, "rule_sha256", j_hash(j->plan->rule_hash), "pages",
	    (int)j->plan->pages, "values", j_values(j->plan), "place", j_place(j->plan), "seal", j_seal(j, &p));
	if (page_set_count(&j->plan->marks.pages) > 0)
		json_put(&o, "marks", mark_json(&j->plan->marks));
	add_pages(&o, j->plan->dropped ? "blank_dropped" : "blank", &j->plan->blank);
	add_pages(&o, "size_estimated", &j->plan->estimated);
	add_pages(&o, "unread", &j->plan->unread);
	if (known)
		json_put(&o, "same_as", json_string(same));
	if (j->inspect.kind == DOC_PDF_KEPT)
		json_put(&o, "bytes_kept", json_true());
	if (o != NULL && j->inspect.files > 0) { /* compared with those of the sealed file just now */
		if ((files = attached_json(j, e)) == NULL) {
			json_decref(decided);
			json_decref(o);
			return -(int)e->code;
		}
		json_put(&o, "attachments", files);
	}
	if (o != NULL && j->inspect.sigs > 0) {
		if ((earlier = earlier_json(j, e)) == NULL) {
			json_decref(decided);
			json_decref(o);
			return -(int)e->code;
		}
		json_put(&o, "signatures", earlier);
	}
	if (o != NULL && j->claim.ticket.has) {
		if ((ticket = j_ticket(j, e)) == NULL) {
			json_decref(decided);
			json_decref(o);
			return -(int)e->code;
		}
		json_put(&o, "ticket", ticket);
	}
	if (decided != NULL)
		json_put(&o, "decision", decided);
	if (o != NULL && stack_of(j, &stack, e) < 0) {
		json_decref(o);
		return -(int)e->code;
	}
	if (o != NULL && stack != NULL)
		json_put(&o, "stack", stack);
	if (o != NULL)
		*ret_text = json_text(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
	json_decref(o);
	return o == NULL || *ret_text == NULL ? err_set(e, ERR_MEM, "job.json") : 0;
}

int
jobjson_stack(struct job *j, char **ret_text, struct err *e)
{
	json_t *o, *parts;
	char same[ID_MAX];
	int known;

	if ((known = admit_same_as(j, same, e)) < 0 || (parts = stack_parts(j, e)) == NULL)
		return -(int)e->code;
	o = json_pack("{s:i, s:s, s:s, s:o, s:s, s:o, s:i, s:o}", "v", 1, "id", j->claim.id, "folder", j->claim.folder, "source",
	    j_source(j), "salt", j->claim.salt, "received", j_time(j->claim.received_us), "pages", (int)j->inspect.pages, "parts", parts);
	add_pages(&o, "outside", &j->plan->outside);
	add_pages(&o, "blank", &j->plan->blank);
	add_pages(&o, "size_estimated", &j->plan->estimated);
	add_pages(&o, "unread", &j->plan->unread);
	if (known && strcmp(same, j->claim.id) != 0)
		json_put(&o, "same_as", json_string(same));
	if (o != NULL)
		*ret_text = json_text(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	json_decref(o);
	return o == NULL || *ret_text == NULL ? err_set(e, ERR_MEM, "job.json") : 0;
}
