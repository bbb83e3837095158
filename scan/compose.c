#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "rules/codes.h"
#include "rules/pagefile.h"
#include "rules/rules.h"

#include "scan/blobs.h"
#include "scan/compose.h"
#include "scan/formfield.h"
#include "scan/kept.h"
#include "scan/scan.h"
#include "scan/textlayer.h"

#define NODE_KIDS 64u
#define NODES_MAX (PDF_NUMBER_MAX / NODE_KIDS)
#define SIDE_MIN 3000     /* mpt; ISO 19005-2, 6.1.13 */
#define SIDE_MAX 14400000
#define CONTENT_MAX ((size_t)64 * 1024 * 1024)
#define DICT_MAX ((size_t)64 * 1024)
#define DICT_DEPTH 8
#define WORDS_KEPT ((uint64_t)6 * 1024 * 1024) /* of the first pages; others are asked for again where rules look */

struct compose {
	const struct compose_job *job;
	const struct conf_folder *folder;
	struct pdf *pdf;   /* these two: at most one; none: only explain */
	struct kept *kept;
	struct textlayer *text; /* NULL: what is written has none */
	uint32_t root, pages_root;

	struct page_words *words; /* one a page of the result, each with a block of its own, or none */
	uint64_t words_kept;      /* bytes */
	uint32_t npages;
	struct compose_result plan; /* what pages say of themselves; then the rules' */
	struct stack {
		uint32_t documents;  /* begun so far */
		bool within;         /* the last page belongs to one */
		bool divided;        /* there was a sheet */
		struct { uint32_t page; struct box box; } sheet; /* the first that stands between two */
		struct page_set outside; /* what belongs to none of them */
	} stack;

	uint32_t kids[NODE_KIDS], nkids, node; /* the page tree node being filled */
	uint32_t *nodes, nnodes, cap_nodes;
};

static void
compose_done(struct compose *c)
{
	if (c->words != NULL)
		for (uint32_t i = 0; i < c->npages; i++)
			free((void *)(uintptr_t)c->words[i].words);
	free(c->words);
	free(c->nodes);
	textlayer_free(c->text);
	pdf_free(c->pdf);
	kept_free(c->kept);
}

/* --- words for the rules --------------------------------------------------------------- */

static size_t
words_size(const struct pagefile *pf)
{
	size_t bytes = (pf->nwords + pf->ncodes) * sizeof(struct word) + 1;

	for (uint32_t i = 0; i < pf->nwords + pf->ncodes; i++)
		bytes += strlen(pf->words[i].text) + 1;
	return bytes;
}

/* One block: the records, then their texts. */
static struct word *
words_copy(const struct pagefile *pf)
{
	struct word *w = malloc(words_size(pf));
	char *text = w == NULL ? NULL : (char *)(w + pf->nwords + pf->ncodes);

	for (uint32_t i = 0; w != NULL && i < pf->nwords + pf->ncodes; i++) {
		w[i] = pf->words[i];
		w[i].text = text;
		text = stpcpy(text, pf->words[i].text) + 1;
	}
	return w;
}

static int
keep_words(struct compose *c, const struct pagefile *pf, struct err *e)
{
	struct page_words *pw = &c->words[c->npages++];

	pagefile_view(pf, &pw->width, &pw->height);
	pw->nwords = pf->nwords;
	pw->ncodes = pf->ncodes;
	if (words_size(pf) > WORDS_KEPT - c->words_kept)
		return 0;
	if ((pw->words = words_copy(pf)) == NULL)
		return err_set(e, ERR_MEM, "no memory for %" PRIu32 " words", pf->nwords);
	c->words_kept += words_size(pf);
	return 0;
}

/* Asked for again: the words of 5,000 pages would be too much to keep. */
static int
words_of_page(void *ctx, uint32_t page, struct word **ret, struct err *e)
{
	const struct compose *c = ctx;
	const uint32_t source = compose_source_page(&c->plan, page);
	struct pagefile pf = { .page = 0 };
	AUTO_FD fd = -1;
	int r;

	if ((r = c->job->page(c->job->ctx, source, &fd, e)) < 0 || (r = pagefile_read(fd, &pf, e)) < 0)
		return r;
	if (pf.page != source || pf.nwords != c->words[page].nwords || pf.ncodes != c->words[page].ncodes)
		r = err_set(e, ERR_PEER, "page %" PRIu32 " is not what it was", source + 1);
	else if ((*ret = words_copy(&pf)) == NULL)
		r = err_set(e, ERR_MEM, "no memory for %" PRIu32 " words", pf.nwords);
	pagefile_done(&pf);
	return r;
}

/* --- dictionaries from page results ---------------------------------------------------- */

/* Set by us, or forbidden in a PDF/A stream. */
static bool
key_refused(const char *name, size_t n)
{
	static const char *const refused[] = { "Length", "Type", "Subtype", "F", "FFilter", "FDecodeParms", "DL" };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strlen(refused[i]) == n && memcmp(refused[i], name, n) == 0)
			return true;
	return false;
}

/* Length of one token of a dictionary from a page result; 0: not one we allow. */
static size_t
dict_token(const char *s, char stack[DICT_DEPTH], size_t *depth)
{
	size_t n = 1;

	if (s[0] == '[' || (s[0] == '<' && s[1] == '<')) {
		if (*depth == DICT_DEPTH)
			return 0;
		stack[(*depth)++] = s[0];
		return s[0] == '[' ? 1 : 2;
	}
	if (s[0] == ']' || (s[0] == '>' && s[1] == '>')) {
		if (*depth == 0 || stack[--*depth] != (s[0] == ']' ? '[' : '<'))
			return 0;
		return s[0] == ']' ? 1 : 2;
	}
	if (s[0] == '<') { /* a palette; ISO 19005-2, 6.1.6: whole bytes */
		while (isxdigit((unsigned char)s[n]))
			n++;
		return s[n] == '>' && n % 2 == 1 ? n + 1 : 0;
	}
	if (s[0] == '/') {
		while (isalnum((unsigned char)s[n]) || s[n] == '-' || s[n] == '_')
			n++;
		return n > 1 && n <= 64 && !key_refused(s + 1, n - 1) ? n : 0;
	}
	n = strspn(s, "+-.0123456789");
	if (n == 0 && strncmp(s, "true", 4) == 0)
		n = 4;
	else if (n == 0 && strncmp(s, "false", 5) == 0)
		n = 5;
	else if (n == 0 && strncmp(s, "null", 4) == 0)
		n = 4;
	else if (n == 0 && (s[0] == ' ' || s[0] == '\n'))
		return 1;
	return isalnum((unsigned char)s[n]) ? 0 : n;
}

/* "@n" becomes a reference to the page result's object n. */
static int
put_dict(struct buf *b, const char *dict, const uint32_t *numbers, uint32_t nobjects, struct err *e)
{
	char stack[DICT_DEPTH];
	size_t depth = 0;

	for (size_t n; *dict != '\0'; dict += n) {
		if (dict[0] == '@' && dict[1] >= '0' && (uint32_t)(dict[1] - '0') < nobjects) {
			buf_printf(b, " %" PRIu32 " 0 R", numbers[dict[1] - '0']);
			n = 2;
			continue;
		}
		if ((n = dict_token(dict, stack, &depth)) == 0)
			return err_set(e, ERR_DOC_BAD, "page result: an image's dictionary is not acceptable");
		buf_put(b, dict, n);
	}
	if (depth != 0)
		return err_set(e, ERR_DOC_BAD, "page result: an image's dictionary does not end");
	return 0;
}

/* --- a page ---------------------------------------------------------------------------- */

static int
write_object(struct compose *c, int fd, const struct page_object *o, const uint32_t *numbers, uint32_t nobjects,
    uint32_t number, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 2 * DICT_MAX);
	if (strlen(o->dict) > DICT_MAX)
		return err_set(e, ERR_DOC_BAD, "page result: an image's dictionary is too long");
	if (strstr(o->dict, "/Width") != NULL)
		buf_printf(&b, "/Type/XObject/Subtype/Image");
	if (put_dict(&b, o->dict, numbers, nobjects, e) < 0)
		return -(int)e->code;
	buf_put_u8(&b, '\0');
	if (!buf_ok(&b))
		return err_set(e, ERR_MEM, "no memory for an image's dictionary");
	pdf_stream_fd(c->pdf, number, (const char *)b.data, o->in_source ? c->job->source : fd, o->off, o->len);
	return 0;
}

static void
put_milli(struct buf *b, int64_t v)
{
	uint64_t a = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	buf_printf(b, "%s%" PRIu64 ".%03" PRIu64 " ", v < 0 ? "-" : "", a / 1000, a % 1000);
}

/* Content stream: the image, then the words nobody sees. */
static int
write_content(struct compose *c, const struct pagefile *pf, uint32_t number, bool *ret_text, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CONTENT_MAX);
	if (pf->nobjects > 0) {
		buf_printf(&b, "q ");
		for (int i = 0; i < 6; i++)
			put_milli(&b, pf->matrix[i]);
		buf_printf(&b, "cm /Im0 Do Q\n");
	}
	*ret_text = c->text != NULL && textlayer_page(c->text, pf, &b);
	if (b.starved)
		return err_set(e, ERR_MEM, "text of a page");
	if (!buf_ok(&b))
		return err_set(e, ERR_DOC_SIZE, "the page has more text than a page can hold");
	pdf_stream(c->pdf, number, "", b.data, b.len, PDF_DEFLATE);
	return 0;
}

static int
close_node(struct compose *c, struct err *e)
{
	if (c->nkids == 0)
		return 0;
	if (c->nnodes == c->cap_nodes) {
		uint32_t cap = c->cap_nodes == 0 ? 64 : 2 * c->cap_nodes;
		uint32_t *more = cap > NODES_MAX ? NULL : reallocarray(c->nodes, cap, sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_MEM, "no memory for the page tree");
		c->nodes = more;
		c->cap_nodes = cap;
	}
	c->nodes[c->nnodes++] = c->node;
	pdf_begin(c->pdf, c->node, 0);
	pdf_printf(c->pdf, "<</Type/Pages/Parent %" PRIu32 " 0 R/Count %" PRIu32 "/Kids[", c->pages_root, c->nkids);
	for (uint32_t i = 0; i < c->nkids; i++)
		pdf_ref(c->pdf, c->kids[i]);
	pdf_str(c->pdf, "]>>");
	pdf_end(c->pdf);
	c->nkids = 0;
	return 0;
}

static int
write_page_object(struct compose *c, const struct pagefile *pf, uint32_t content, uint32_t image, bool text,
    struct err *e)
{
	struct pdf *p = c->pdf;
	uint32_t number = pdf_new(p);

	if (c->nkids == 0)
		c->node = pdf_new(p);
	pdf_begin(p, number, 0);
	pdf_printf(p, "<</Type/Page/Parent %" PRIu32 " 0 R/MediaBox[0 0", c->node);
	pdf_milli(p, pf->media_w);
	pdf_milli(p, pf->media_h);
	pdf_str(p, "]");
	if (pf->rotate != 0)
		pdf_printf(p, "/Rotate %" PRIu32, pf->rotate);
	pdf_printf(p, "/Contents %" PRIu32 " 0 R/Resources<<", content);
	if (image != 0)
		pdf_printf(p, "/XObject<</Im0 %" PRIu32 " 0 R>>", image);
	if (text)
		pdf_printf(p, "/Font<</F0 %" PRIu32 " 0 R>>", textlayer_font(c->text, p));
	pdf_str(p, ">>>>");
	pdf_end(p);
	c->kids[c->nkids++] = number;
	return c->nkids == NODE_KIDS ? close_node(c, e) : 0;
}

static int
write_page(struct compose *c, int fd, const struct pagefile *pf, struct err *e)
{
	uint32_t numbers[PAGEFILE_OBJECTS_MAX] = { 0 };
	uint32_t content = pdf_new(c->pdf);
	bool text;

	if (pf->media_w < SIDE_MIN || pf->media_h < SIDE_MIN || pf->media_w > SIDE_MAX || pf->media_h > SIDE_MAX ||
	    pf->rotate % 90 != 0 || pf->rotate >= 360)
		return err_set(e, ERR_DOC_RESOLUTION, "the page would be %" PRId32 " x %" PRId32 " pt",
		    pf->media_w / 1000, pf->media_h / 1000);
	for (uint32_t i = 0; i < pf->nobjects; i++)
		numbers[i] = pdf_new(c->pdf);
	for (uint32_t i = 0; i < pf->nobjects; i++)
		if (write_object(c, fd, &pf->objects[i], numbers, pf->nobjects, numbers[i], e) < 0)
			return -(int)e->code;
	if (write_content(c, pf, content, &text, e) < 0 ||
	    write_page_object(c, pf, content, numbers[0], text, e) < 0)
		return -(int)e->code;
	return pdf_check(c->pdf, e);
}

/* --- what a page is like ----------------------------------------------------------------- */

/* A person has looked at the document and decided. */
static bool
released(const struct compose *c)
{
	return c->job->params->force_at || c->job->params->force_rule[0] != '\0';
}

/* The first fault counts, and its whole page is what the picture shows. */
__attribute__((format(printf, 4, 5))) static void
fault(struct compose *c, const struct pagefile *pf, const char *what, const char *fmt, ...)
{
	struct compose_result *p = &c->plan;
	va_list ap;

	if (p->hold != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(p->hold_word, sizeof(p->hold_word), fmt, ap);
	va_end(ap);
	p->hold = ERR_DOC_QUALITY;
	snprintf(p->hold_text, sizeof(p->hold_text), "page %" PRIu32 ": %s: %.80s", pf->page + 1, what, p->hold_word);
	p->ncandidates = 1;
	p->candidates[0].page = pf->page;
	p->candidates[0].box = (struct box){ 0 };
	pagefile_view(pf, &p->candidates[0].box.x1, &p->candidates[0].box.y1);
}

/* The words for people need no language: "150 dpi < 200 dpi". */
static void
look_at_quality(struct compose *c, const struct pagefile *pf)
{
	const struct conf_scan *s = &c->job->conf->scan;
	const uint32_t dpi = pf->dpi_x < pf->dpi_y ? pf->dpi_x : pf->dpi_y;

	if (pf->nobjects > 0 && dpi < s->min_dpi)
		fault(c, pf, "its resolution", "%" PRIu32 " dpi < %" PRIu32 " dpi", dpi, s->min_dpi);
	if (s->no_resolution == RESOLUTION_HOLD && pf->estimated)
		fault(c, pf, "it does not say how large it is", "? dpi");
	if (s->max_skew > 0 && pf->skew_udeg > s->max_skew * 1000)
		fault(c, pf, "it is askew", "%.1f\xc2\xb0 > %" PRIu32 "\xc2\xb0", pf->skew_udeg / 1000.0, s->max_skew);
	if (pf->nwords > 0 && pf->text == PAGE_TEXT_READ && pf->conf < s->min_confidence)
		fault(c, pf, "its text is not legible enough", "%" PRIu32 " %% < %" PRIu32 " %%", pf->conf, s->min_confidence);
}

/* Blank pages right behind a sheet are its back; those before any page at all belong to the first document. */
static void
note_no_sheet(struct stack *s, const struct pagefile *pf)
{
	if (!s->within && s->divided && pf->blank)
		page_set_add(&s->outside, pf->page);
	s->documents += !s->within && !pf->blank;
	s->within = s->within || !pf->blank;
}

/* Separator sheets stand between the documents of a stack; one before the first or behind the last divides nothing. */
static void
note_sheet(struct compose *c, const struct pagefile *pf)
{
	const struct word *code;
	struct stack *s = &c->stack;

	if (!codes_separate(c->folder, pf, &code)) {
		note_no_sheet(s, pf);
		return;
	}
	for (uint32_t i = 0; s->documents == 0 && i < pf->page; i++)
		page_set_add(&s->outside, i);
	page_set_add(&s->outside, pf->page);
	if (s->documents <= 1) {
		s->sheet.page = pf->page;
		s->sheet.box = code->box;
	}
	s->within = false;
	s->divided = true;
}

/* False: the page is not to be in the result. */
static bool
note_page(struct compose *c, const struct pagefile *pf)
{
	const uint32_t mode = c->job->conf->scan.blank;

	note_sheet(c, pf);
	if (pf->estimated)
		page_set_add(&c->plan.estimated, pf->page);
	if (pf->text == PAGE_TEXT_UNREAD)
		page_set_add(&c->plan.unread, pf->page);
	if (!pf->blank) {
		if (!released(c))
			look_at_quality(c, pf);
		return true;
	}
	if (mode != BLANK_KEEP)
		page_set_add(&c->plan.blank, pf->page);
	return c->plan.dropped == 0;
}

static int
add_page(struct compose *c, uint32_t page, struct err *e)
{
	struct pagefile pf = { .page = 0 };
	AUTO_FD fd = -1;
	int r;

	if (c->job->page(c->job->ctx, page, &fd, e) < 0 || pagefile_read(fd, &pf, e) < 0)
		return -(int)e->code;
	if (pf.page != page)
		r = err_set(e, ERR_PEER, "asked for page %" PRIu32 ", got %" PRIu32, page + 1, pf.page + 1);
	else if (!note_page(c, &pf))
		r = 1;
	else
		r = keep_words(c, &pf, e);
	if (r == 0 && c->pdf != NULL)
		r = write_page(c, fd, &pf, e);
	else if (r == 0 && c->kept != NULL && c->job->params->sigs == 0) /* what is signed gets no text layer */
		r = kept_page(c->kept, &pf, e);
	if (r < 0 && e->page == 0)
		e->page = page + 1;
	pagefile_done(&pf);
	return r < 0 ? r : 0;
}

/* --- what stands once in a document ---------------------------------------------------- */

static void
write_tree(struct compose *c)
{
	pdf_begin(c->pdf, c->pages_root, 0);
	pdf_printf(c->pdf, "<</Type/Pages/Count %" PRIu32 "/Kids[", c->npages);
	for (uint32_t i = 0; i < c->nnodes; i++)
		pdf_ref(c->pdf, c->nodes[i]);
	pdf_str(c->pdf, "]>>");
	pdf_end(c->pdf);
}

static int
write_metadata(struct compose *c, uint32_t number, struct err *e)
{
	const struct compose_params *cp = c->job->params;
	char producer[64];
	struct xmp x = {
		.pdfa = c->job->pdfa,
		.title = cp->name[0] != '\0' ? cp->name : cp->id,
		.producer = producer,
		.id = cp->id,
		.engine = c->job->engine,
		.created_us = cp->received_us,
	};
	AUTO_BUF b;

	snprintf(producer, sizeof(producer), "sealroom %s", build_version);
	memcpy(x.source_hash, cp->source_hash, sizeof(x.source_hash));
	buf_init(&b, 64 * 1024);
	xmp_put(&b, &x);
	if (!buf_ok(&b))
		return err_set(e, ERR_MEM, "no memory for the metadata");
	/* plain: indexers look for it in the raw file */
	pdf_stream(c->pdf, number, "/Type/Metadata/Subtype/XML", b.data, b.len, PDF_PLAIN);
	return 0;
}

static int
write_catalog(struct compose *c, struct err *e)
{
	struct pdf *p = c->pdf;
	uint32_t xmp = pdf_new(p), intent = pdf_new(p), icc = pdf_new(p);

	if (write_metadata(c, xmp, e) < 0)
		return -(int)e->code;
	pdf_stream(p, icc, "/N 3", blob_srgb, blob_len(blob_srgb, blob_srgb_end), PDF_DEFLATE);
	pdf_begin(p, intent, 0);
	pdf_printf(p, "<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB IEC61966-2.1)"
	    "/DestOutputProfile %" PRIu32 " 0 R>>", icc);
	pdf_end(p);
	pdf_begin(p, c->root, 0);
	pdf_printf(p, "<</Type/Catalog/Pages %" PRIu32 " 0 R/Metadata %" PRIu32 " 0 R/OutputIntents[%" PRIu32 " 0 R]/Lang",
	    c->pages_root, xmp, intent);
	pdf_text(p, c->folder->language);
	pdf_str(p, ">>");
	pdf_end(p);
	return 0;
}

/* The same job on the same bytes has the same identity, however often it is composed. */
static void
set_id(const struct compose_params *cp, struct pdf_trailer *t)
{
	struct hash *h = hash_open();
	uint8_t digest[HASH_LEN];

	hash_add(h, cp->source_hash, sizeof(cp->source_hash));
	hash_add(h, cp->id, strlen(cp->id));
	hash_final(h, digest);
	for (int i = 0; i < 2; i++) {
		memcpy(t->id[i].bytes, digest, 16);
		t->id[i].len = 16;
	}
}

static int
write_end(struct compose *c, uint64_t *ret_len, struct err *e)
{
	struct pdf_trailer t = { .root = c->root };

	set_id(c->job->params, &t);
	if (close_node(c, e) < 0)
		return -(int)e->code;
	write_tree(c);
	textlayer_end(c->text, c->pdf);
	if (write_catalog(c, e) < 0)
		return -(int)e->code;
	return pdf_finish(c->pdf, &t, ret_len, e);
}

/* --- the whole ------------------------------------------------------------------------- */

static int
compose_begin(struct compose *c, const struct compose_job *job, bool write, struct err *e)
{
	const struct compose_params *cp = job->params;

	c->job = job;
	if ((c->folder = conf_folder(job->conf, cp->folder)) == NULL)
		return err_set(e, ERR_CONF, "no folder '%s' in the settings", cp->folder);
	if (cp->pages == 0 || cp->pages > PDF_NUMBER_MAX / 4)
		return err_set(e, ERR_DOC_PAGES, "%" PRIu32 " pages", cp->pages);
	if ((c->words = calloc(cp->pages, sizeof(*c->words))) == NULL)
		return err_set(e, ERR_MEM, "no memory for %" PRIu32 " pages", cp->pages);
	page_set_init(&c->plan.blank, cp->pages);
	page_set_init(&c->plan.estimated, cp->pages);
	page_set_init(&c->plan.unread, cp->pages);
	page_set_init(&c->stack.outside, cp->pages);
	/* what a program wrote keeps its bytes, and so its pages */
	c->plan.dropped = job->conf->scan.blank == BLANK_DROP && !released(c) && cp->kind != DOC_PDF_KEPT;
	if (!write)
		return 0;
	if (cp->kind == DOC_PDF_KEPT)
		return kept_open(&c->kept, job->source, job->out, e);
	if (textlayer_new(&c->text, e) < 0 ||
	    pdf_open(&c->pdf, job->out, job->section, NULL, job->pdfa == PDFA_1B ? "1.4" : "1.7", e) < 0)
		return -(int)e->code;
	c->root = pdf_new(c->pdf);
	c->pages_root = pdf_new(c->pdf);
	return 0;
}

/* Asked for again: the maps of all pages would be too much to keep. */
static int
ink_of_page(void *ctx, uint32_t page, struct ink *ret, struct err *e)
{
	const struct compose *c = ctx;
	AUTO_FD fd = -1;
	int r = c->job->page(c->job->ctx, compose_source_page(&c->plan, page), &fd, e);

	return r < 0 ? r : pagefile_ink(fd, ret, e);
}

/* Of a PDF that keeps its bytes; all others are made anew, and lose their forms. */
static int
field_of_source(void *ctx, const char *name, struct doc_field *ret, struct err *e)
{
	const struct compose *c = ctx;
	struct revision rev;
	struct formfield f;
	int r = revision_open(&rev, c->job->source, e);

	if (r == 0 && (r = formfield_find(&rev, name, &f, e)) == 0)
		*ret = (struct doc_field){ .page = f.index, .seen = f.seen, .box = f.box };
	revision_done(&rev);
	return r;
}

/* Paper that lay the wrong side up is not sealed before a person has looked. */
static bool
all_blank(const struct compose *c)
{
	return !released(c) && page_set_count(&c->plan.blank) == c->job->params->pages;
}

/* Why the stack is not divided; ERR_OK: it is. */
static enum err_code
whole_stack(const struct compose *c)
{
	const struct compose_params *cp = c->job->params;

	if (cp->stack == STACK_MAY_NOT || c->stack.documents > STACK_PARTS_MAX)
		return ERR_DOC_STACK;
	if (cp->stack == STACK_HAS_TICKET)
		return ERR_STACK_TICKET;
	/* its pages share what a program wrote once, and its signatures are about all of it */
	return cp->kind == DOC_PDF_KEPT ? ERR_STACK_KEPT : ERR_OK;
}

/* Divided at its sheets; or else which pages are one document is for the sender to say, or a person. */
static void
decide_stack(struct compose *c)
{
	struct compose_result *p = &c->plan;

	if (p->hold != 0 || released(c) || c->stack.documents < 2)
		return;
	if ((p->hold = whole_stack(c)) == ERR_OK) {
		p->outside = c->stack.outside;
		return;
	}
	snprintf(p->hold_word, sizeof(p->hold_word), "%" PRIu32, c->stack.documents);
	snprintf(p->hold_text, sizeof(p->hold_text), "separator sheets divide it into %" PRIu32 " documents, the first of them on page %" PRIu32,
	    c->stack.documents, c->stack.sheet.page + 1);
	p->ncandidates = 1;
	p->candidates[0].page = c->stack.sheet.page;
	p->candidates[0].box = c->stack.sheet.box;
}

static int
decide(struct compose *c, json_t *trace, struct err *e)
{
	const struct compose_params *cp = c->job->params;
	const struct doc_words doc = {
		.npages = c->npages,
		.pages = c->words,
		.source_name = cp->name,
		.received_us = cp->received_us,
		.words = words_of_page,
		.ink = ink_of_page,
		.field = cp->kind == DOC_PDF_KEPT ? field_of_source : NULL,
		.ctx = c,
	};
	struct compose_result *p = &c->plan;
	AUTO_FREE struct compose_result *by_rules = calloc(1, sizeof(*by_rules));

	p->pages = c->npages;
	if (all_blank(c)) {
		p->hold = ERR_DOC_BLANK;
		snprintf(p->hold_text, sizeof(p->hold_text), "all %" PRIu32 " pages are blank", cp->pages);
		return 0;
	}
	if (by_rules == NULL)
		return err_set(e, ERR_MEM, "no memory for the rules");
	decide_stack(c);
	if (rules_decide(c->job->conf, c->folder, &doc, cp, by_rules, trace, e) < 0)
		return -(int)e->code;
	if (p->hold != 0 || p->outside.pages != 0)
		return 0; /* explained all the same */
	by_rules->pages = p->pages;
	by_rules->blank = p->blank;
	by_rules->dropped = p->dropped;
	by_rules->estimated = p->estimated;
	by_rules->unread = p->unread;
	for (uint32_t i = 0; i < by_rules->ncandidates; i++)
		by_rules->candidates[i].page = compose_source_page(p, by_rules->candidates[i].page);
	*p = *by_rules;
	return 0;
}

static int
write_trace(const json_t *trace, int out, uint64_t *ret_len, struct err *e)
{
	AUTO_FREE char *text = json_dumps(trace, JSON_COMPACT);

	if (text == NULL)
		return err_set(e, ERR_MEM, "no memory for the explanation");
	*ret_len = strlen(text);
	return io_write_full(out, text, strlen(text), e);
}

static int
compose_pages(struct compose *c, const struct compose_job *job, bool write, struct err *e)
{
	int r = compose_begin(c, job, write, e);

	for (uint32_t i = 0; r == 0 && i < job->params->pages; i++)
		r = add_page(c, i, e);
	return r;
}

int
compose_write(const struct compose_job *job, struct compose_result *ret, struct err *e)
{
	struct compose c = { .job = job };
	int r = compose_pages(&c, job, true, e);

	if (r == 0)
		r = decide(&c, NULL, e);
	if (r == 0)
		r = c.kept != NULL ? kept_end(c.kept, job->params->id, &c.plan.len, e) : write_end(&c, &c.plan.len, e);
	if (r == 0)
		*ret = c.plan;
	compose_done(&c);
	return r;
}

int
compose_explain(const struct compose_job *job, struct compose_result *ret, struct err *e)
{
	struct compose c = { .job = job };
	json_t *trace = json_array();
	int r = trace == NULL ? err_set(e, ERR_MEM, "no memory for the explanation") : compose_pages(&c, job, false, e);

	if (r == 0)
		r = decide(&c, trace, e);
	if (r == 0)
		r = write_trace(trace, job->out, &c.plan.len, e);
	if (r == 0)
		*ret = c.plan;
	json_decref(trace);
	compose_done(&c);
	return r;
}

/* --- some pages alone ------------------------------------------------------------------ */

static int
part_page(struct compose *c, uint32_t page, struct err *e)
{
	struct pagefile pf = { .page = 0 };
	AUTO_FD fd = -1;
	int r;

	if (c->job->page(c->job->ctx, page, &fd, e) < 0 || pagefile_read(fd, &pf, e) < 0)
		return -(int)e->code;
	r = pf.page != page ? err_set(e, ERR_PEER, "asked for page %" PRIu32 ", got %" PRIu32, page + 1, pf.page + 1)
	                    : write_page(c, fd, &pf, e);
	c->npages++;
	if (r < 0 && e->page == 0)
		e->page = page + 1;
	pagefile_done(&pf);
	return r;
}

/* Named by what it is made of: the same pages of the same file are the same part, whoever makes it. */
static void
part_id(const struct compose_params *cp, struct pdf_trailer *t)
{
	char range[32];
	struct hash *h = hash_open();
	uint8_t digest[HASH_LEN];

	hash_add(h, cp->source_hash, sizeof(cp->source_hash));
	hash_add(h, range, (size_t)snprintf(range, sizeof(range), "%" PRIu32 "-%" PRIu32, cp->first + 1, cp->last + 1));
	hash_final(h, digest);
	for (int i = 0; i < 2; i++) {
		memcpy(t->id[i].bytes, digest, 16);
		t->id[i].len = 16;
	}
}

static int
part_end(struct compose *c, uint64_t *ret_len, struct err *e)
{
	struct pdf_trailer t = { .root = c->root };

	part_id(c->job->params, &t);
	if (close_node(c, e) < 0)
		return -(int)e->code;
	write_tree(c);
	pdf_begin(c->pdf, c->root, 0);
	pdf_printf(c->pdf, "<</Type/Catalog/Pages %" PRIu32 " 0 R>>", c->pages_root);
	pdf_end(c->pdf);
	return pdf_finish(c->pdf, &t, ret_len, e);
}

int
compose_part(const struct compose_job *job, struct part_result *ret, struct err *e)
{
	const struct compose_params *cp = job->params;
	struct compose c = { .job = job };
	int r = cp->kind == DOC_PDF_KEPT ? err_set(e, ERR_PEER, "a PDF that keeps its bytes is not divided")
	                                 : pdf_open(&c.pdf, job->out, job->section, NULL, "1.7", e);

	if (r == 0) {
		c.root = pdf_new(c.pdf);
		c.pages_root = pdf_new(c.pdf);
	}
	for (uint32_t i = cp->first; r == 0 && i <= cp->last; i++)
		r = part_page(&c, i, e);
	if (r == 0)
		r = part_end(&c, &ret->len, e);
	compose_done(&c);
	return r;
}

static int
page_of_task(void *ctx, uint32_t page, int *ret_fd, struct err *e)
{
	return task_page(ctx, page, ret_fd, e);
}

/* What a task gives is a job of composing; params are the caller's. */
static int
task_job(struct task *t, struct compose_params *params, struct compose_job *ret, struct err *e)
{
	const struct scan_state *s = t->role_state;

	*ret = (struct compose_job){
		.conf = s->conf,
		.params = params,
		.engine = s->engine_name,
		.pdfa = PDFA_2U,
		.section = PDF_TABLE,
		.page = page_of_task,
		.ctx = t,
		.source = t->in,
		.out = t->out,
	};
	return compose_params_get(&t->params, params, e);
}

static int
run(struct task *t, int (*work)(const struct compose_job *, struct compose_result *, struct err *), struct err *e)
{
	struct compose_params params;
	struct compose_result result;
	struct compose_job job;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (task_job(t, &params, &job, e) < 0 || work(&job, &result, e) < 0)
		return -(int)e->code;
	compose_result_put(&b, &result);
	return task_result(t, &b, e);
}

int
compose_run(struct task *t, struct err *e)
{
	return run(t, compose_write, e);
}

int
explain_run(struct task *t, struct err *e)
{
	return run(t, compose_explain, e);
}

int
part_run(struct task *t, struct err *e)
{
	struct compose_params params;
	struct part_result result;
	struct compose_job job;
	AUTO_BUF b;

	buf_init(&b, 64);
	if (task_job(t, &params, &job, e) < 0 || compose_part(&job, &result, e) < 0)
		return -(int)e->code;
	part_result_put(&b, &result);
	return task_result(t, &b, e);
}
