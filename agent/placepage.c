#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/messages.h"
#include "agent/placepage.h"

#define PNG_MAX (16u << 20)
#define DATA_MAX (1u << 20)
#define CHUNK 48000 /* a multiple of three: its base64 needs no padding */

__asm__(".pushsection .rodata\n"
        ".global placepage_template\n"
        ".type placepage_template, @object\n"
        "placepage_template:\n"
        ".incbin \"agent/placepage.html\"\n"
        ".byte 0\n"
        ".size placepage_template, . - placepage_template\n"
        ".popsection\n");
extern const char placepage_template[];

struct placepage {
	int out;
	const char *at; /* in the template: what is not yet written */
	const char *language;
	json_t *data, *pages;
};

/* What the page says; keys are its own. */
static const struct {
	const char *key, *english;
} words[] = {
	{ "help", N_("Put the blue box where the seal shall go: with the mouse, or with the arrow keys (with Shift in "
	             "large steps, with Ctrl in small ones; Page Up and Page Down change the page). Orange frames are the "
	             "places that were found. Nothing happens before you drop the saved ticket into the folder.") },
	{ "rule", N_("Rule:") },
	{ "snap", N_("Move to the nearest free place") },
	{ "seal", N_("Seal here") },
	{ "release", N_("Let the rule place it") },
	{ "reject", N_("Reject") },
	{ "cancel", N_("Cancel") },
	{ "close", N_("Close") },
	{ "ask", N_("Why is the document rejected? The sentence comes back with it.") },
	{ "box", N_("Place of the seal. Arrow keys move it, Enter moves it to the nearest free place.") },
	{ "here", N_("Seal") },
	{ "page", N_("Page {page}") },
	{ "at", N_("Page {page}: {x} mm from the left, {y} mm from the top.") },
	{ "covers", N_("It covers something.") },
	{ "candidate", N_("Put the seal beside the place found on page {page}") },
	{ "will_seal", N_("The ticket says: seal on page {page}, {x} mm from the left, {y} mm from the top.") },
	{ "will_release", N_("The ticket says: go on by the rule {rule}.") },
	{ "will_reject", N_("The ticket says: reject.") },
	{ "saved", N_("Your browser has saved it. Move it into the folder in which the document was dropped; until then "
	              "nothing happens.") },
};

/* --- out ------------------------------------------------------------------------------------ */

static int
put(struct placepage *p, const char *text, size_t n, struct err *e)
{
	return io_write_full(p->out, text, n, e);
}

/* The template up to a marker, which is left out; NULL: to its end. */
static int
put_until(struct placepage *p, const char *marker, struct err *e)
{
	const char *end = marker == NULL ? p->at + strlen(p->at) : strstr(p->at, marker);
	int r = put(p, p->at, (size_t)(end - p->at), e);

	p->at = marker == NULL ? end : end + strlen(marker);
	return r;
}

static int
put_base64(struct placepage *p, int png, struct err *e)
{
	AUTO_FREE uint8_t *raw = malloc(CHUNK);
	AUTO_FREE uint8_t *text = malloc(CHUNK / 3 * 4 + 1);
	uint64_t size;
	int r;

	if (raw == NULL || text == NULL)
		return err_set(e, ERR_MEM, "placement page");
	if ((r = io_size(png, &size, e)) < 0)
		return r;
	if (size > PNG_MAX)
		return err_set(e, ERR_PEER, "a picture of %" PRIu64 " bytes", size);
	for (uint64_t at = 0; at < size && r == 0;) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		if ((r = io_pread_full(png, raw, n, at, e)) == 0)
			r = put(p, (char *)text, (size_t)EVP_EncodeBlock(text, raw, (int)n), e);
		at += n;
	}
	return r;
}

/* JSON with every "<" escaped, so that nothing in it can end the block or begin a comment. */
static int
put_json(struct placepage *p, struct err *e)
{
	AUTO_FREE char *text = json_dumps(p->data, JSON_COMPACT | JSON_SORT_KEYS);
	AUTO_BUF b;

	buf_init(&b, DATA_MAX);
	if (text == NULL)
		return err_set(e, ERR_MEM, "placement page");
	for (const char *at = text, *next; *at != '\0'; at = next) {
		size_t n = strcspn(at, "<");

		buf_put(&b, at, n);
		next = at + n;
		if (*next == '<') {
			buf_printf(&b, "\\u003c");
			next++;
		}
	}
	if (!buf_ok(&b))
		return err_set(e, ERR_MEM, "placement page");
	return put(p, (char *)b.data, b.len, e);
}

/* --- data ----------------------------------------------------------------------------------- */

static json_t *
mm(int32_t mpt)
{
	return json_real(mpt * 25.4 / 72000);
}

static json_t *
rules_json(const struct conf_folder *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->nrules; i++) {
		const struct conf_rule *r = f->rules[i];

		if (r->seal != NULL && !r->place.invisible)
			json_array_append_new(a, json_pack("{s:s, s:o, s:o}", "name", r->name, "w", mm(r->place.width), "h",
			    mm(r->place.height)));
	}
	return a;
}

static json_t *
candidates_json(const struct compose_result *plan)
{
	json_t *a = json_array();

	for (uint32_t i = 0; plan != NULL && i < plan->ncandidates; i++) {
		const struct box *b = &plan->candidates[i].box;

		json_array_append_new(a, json_pack("{s:I, s:[o, o, o, o]}", "page", (json_int_t)plan->candidates[i].page + 1, "box",
		    mm(b->x0), mm(b->y0), mm(b->x1), mm(b->y1)));
	}
	return a;
}

static json_t *
words_json(const char *language)
{
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		json_object_set_new(o, words[i].key, json_string(message_get(language, words[i].english)));
	return o;
}

/* A name is any bytes: shown as far as it is UTF-8. */
static json_t *
text_json(const char *text)
{
	AUTO_FREE char *copy = strdup(text);

	if (copy == NULL)
		return NULL;
	utf8_scrub(copy);
	return json_string(copy);
}

int
placepage_open(struct placepage **ret, int out, const struct placepage_spec *s, struct err *e)
{
	struct placepage *p = calloc(1, sizeof(*p));
	char hash[HASH_HEX];
	int r;

	if (p == NULL)
		return err_set(e, ERR_MEM, "placement page");
	hash_hex(s->sha256, hash);
	*p = (struct placepage){ .out = out, .at = placepage_template, .language = s->folder->language, .pages = json_array() };
	p->data = json_pack("{s:i, s:o, s:o, s:s, s:s, s:o, s:o, s:O, s:o}", "v", 1, "name", text_json(s->name), "reason",
	    text_json(s->reason), "rule", s->rule, "sha256", hash, "rules", rules_json(s->folder), "candidates",
	    candidates_json(s->plan), "pages", p->pages, "words", words_json(p->language));
	r = p->data == NULL ? err_set(e, ERR_MEM, "placement page") : 0;
	if (r == 0 && (r = put_until(p, "@LANG@", e)) == 0 && (r = put(p, p->language, strlen(p->language), e)) == 0)
		r = put_until(p, "@PAGES@", e);
	if (r < 0)
		placepage_free(p);
	else
		*ret = p;
	return r;
}

static void
caption(const struct placepage *p, uint32_t page, char *dst, size_t size)
{
	const char *text = message_get(p->language, N_("Page {page}")), *at = strstr(text, "{page}");

	if (at == NULL)
		snprintf(dst, size, "%" PRIu32, page + 1);
	else
		snprintf(dst, size, "%.*s%" PRIu32 "%s", (int)(at - text), text, page + 1, at + strlen("{page}"));
}

int
placepage_add(struct placepage *p, uint32_t page, int32_t w, int32_t h, int png, struct err *e)
{
	static const char behind[] = "\"></div></figure>\n";
	char title[80], front[300];
	int n, r;

	caption(p, page, title, sizeof(title));
	n = snprintf(front, sizeof(front), "<figure><figcaption>%s</figcaption><div class=\"page\"><img alt=\"%s\" src=\"data:image/png;base64,",
	    title, title);
	if (json_array_append_new(p->pages, json_pack("{s:I, s:o, s:o}", "n", (json_int_t)page + 1, "w", mm(w), "h", mm(h))) < 0)
		return err_set(e, ERR_MEM, "placement page");
	if ((r = put(p, front, (size_t)n, e)) < 0 || (r = put_base64(p, png, e)) < 0)
		return r;
	return put(p, behind, sizeof(behind) - 1, e);
}

int
placepage_close(struct placepage *p, struct err *e)
{
	int r;

	if ((r = put_until(p, "@DATA@", e)) == 0 && (r = put_json(p, e)) == 0)
		r = put_until(p, NULL, e);
	placepage_free(p);
	return r;
}

void
placepage_free(struct placepage *p)
{
	if (p == NULL)
		return;
	json_decref(p->data);
	json_decref(p->pages);
	free(p);
}

size_t
placepage_choose(uint32_t pages, const struct compose_result *plan, uint32_t ret[PLACEPAGE_PAGES_MAX])
{
	bool all = pages <= PLACEPAGE_PAGES_MAX;
	size_t n = 0;

	for (uint32_t i = 0; i < pages && n < PLACEPAGE_PAGES_MAX; i++) {
		/* one place is kept for the last page, one for each candidate's */
		bool wanted = all || i == 0 || i == pages - 1;

		for (uint32_t k = 0; !wanted && plan != NULL && k < plan->ncandidates; k++)
			wanted = plan->candidates[k].page == i && n + 1 < PLACEPAGE_PAGES_MAX;
		if (wanted)
			ret[n++] = i;
	}
	return n;
}
