#include <fcntl.h>
#include <leptonica/allheaders.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

#include "agent/lib/io.h"

#include "scan/ocr.h"
#include "scan/order.h"
#include "scan/prepare.h"

#define MODEL_MAX ((size_t)256 << 20)
#define PROBE_INCH 2.5     /* side of the piece that is tried in four ways */
#define PLAIN_CONF 85      /* what is read so well and is so much needs no comparison */
#define PLAIN_SENSE 1500
#define CONF_GOOD 75       /* mean of a page nobody needs to doubt */
#define WORD_CONF_MIN 25   /* below, a "word" is dirt */
#define PERCENT_GAP 0.3    /* of the sign's height; a space is about half of it, no space a tenth */
#define SCRIBBLE_TALL 2.0  /* times the height of most words */
#define SCRIBBLE_CONF 50
#define RULES_MAX 500      /* of a page; what has more is no form */
#define PAGE_CONF_MIN 40   /* below, a page has no text: shadows, show-through */

struct ocr {
	TessBaseAPI *api;
	char languages[64];
	uint8_t data_hash[HASH_LEN];
};

/* --- the engine ---------------------------------------------------------------------------- */

static int
join_languages(char *dst, size_t size, const struct strings *languages, struct err *e)
{
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < languages->n; i++) {
		int k = snprintf(dst + n, size - n, "%s%s", i > 0 ? "+" : "", languages->v[i]);

		if (k < 0 || (size_t)k >= size - n)
			return err_set(e, ERR_CONF, "scan.languages: the list is too long");
		n += (size_t)k;
	}
	return n > 0 ? 0 : err_set(e, ERR_CONF, "scan.languages: at least one language is needed");
}

/* Which models recognised is part of a page result's key. */
static int
hash_models(struct ocr *o, const struct strings *languages, struct err *e)
{
	struct hash *h = hash_open();
	AUTO_BUF b;
	char path[512];

	buf_init(&b, MODEL_MAX);
	for (size_t i = 0; i < languages->n; i++) {
		snprintf(path, sizeof(path), "%s/%s.traineddata", TessBaseAPIGetDatapath(o->api), languages->v[i]);
		buf_clear(&b);
		if (io_read_file(AT_FDCWD, path, &b, e) < 0) {
			hash_free(h);
			return err_set(e, ERR_CONF, "scan.languages: %s can not be read", path);
		}
		hash_add(h, b.data, b.len);
	}
	hash_final(h, o->data_hash);
	return 0;
}

static int
no_models(const char *languages, struct err *e)
{
	return err_set(e, ERR_CONF, "scan.languages: no recognition data for %s; install tesseract-ocr-LANGUAGE", languages);
}

int
ocr_open(struct ocr **ret, const struct strings *languages, struct err *e)
{
	struct ocr *o = calloc(1, sizeof(*o));
	int r;

	if (o == NULL)
		return err_set(e, ERR_MEM, "recognition");
	setMsgSeverity(L_SEVERITY_NONE); /* leptonica's complaints about a page are no news for the journal */
	o->api = TessBaseAPICreate();
	if ((r = join_languages(o->languages, sizeof(o->languages), languages, e)) == 0 &&
	    TessBaseAPIInit2(o->api, NULL, o->languages, OEM_LSTM_ONLY) != 0)
		r = no_models(o->languages, e);
	/*
	 * Sauvola: local thresholds end most of the garbage from paper that shines
	 * through.  Its usual factor of 0.34 tears pale rules of tables apart, whose
	 * pieces are then read as full stops.
	 */
	if (r == 0 && (!TessBaseAPISetVariable(o->api, "thresholding_method", "2") ||
	                  !TessBaseAPISetVariable(o->api, "thresholding_kfactor", "0.2")))
		r = err_set(e, ERR_CONF, "this Tesseract has no thresholding_method; 5.0 or newer is needed");
	/* Whether letters stand at equal distances matters to engines without a network only, and is dear to find out. */
	if (r == 0 && !TessBaseAPISetVariable(o->api, "textord_all_prop", "1"))
		r = err_set(e, ERR_CONF, "this Tesseract has no textord_all_prop");
	if (r == 0)
		r = hash_models(o, languages, e);
	if (r < 0) {
		ocr_free(o);
		return r;
	}
	TessBaseAPISetPageSegMode(o->api, PSM_AUTO);
	*ret = o;
	return 0;
}

void
ocr_free(struct ocr *o)
{
	if (o == NULL)
		return;
	TessBaseAPIDelete(o->api);
	free(o);
}

static void
name_engine(const char *languages, char *dst, size_t size)
{
	snprintf(dst, size, "tesseract %s %s", TessVersion(), languages);
}

void
ocr_name(const struct ocr *o, char *dst, size_t size)
{
	name_engine(o->languages, dst, size);
}

int
ocr_look(const struct strings *languages, char *dst, size_t size, struct err *e)
{
	char *variables[] = { "tessedit_init_config_only" }, *values[] = { "1" };
	TessBaseAPI *api = TessBaseAPICreate();
	char joined[sizeof(((struct ocr *)NULL)->languages)];
	int r = join_languages(joined, sizeof(joined), languages, e);

	for (size_t i = 0; i < languages->n && r == 0; i++)
		if (TessBaseAPIInit4(api, NULL, languages->v[i], OEM_LSTM_ONLY, NULL, 0, variables, values, 1, false) != 0)
			r = no_models(languages->v[i], e);
	TessBaseAPIDelete(api);
	if (r == 0)
		name_engine(joined, dst, size);
	return r;
}

void
ocr_data_hash(const struct ocr *o, uint8_t out[HASH_LEN])
{
	memcpy(out, o->data_hash, HASH_LEN);
}

/* --- words ----------------------------------------------------------------------------------- */

void
ocr_page_done(struct ocr_page *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->words[i].text);
	free(p->words);
	*p = (struct ocr_page){ 0 };
}

static bool
has_letter(const char *s)
{
	for (; *s != '\0'; s++)
		if ((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || (*s & 0x80))
			return true;
	return false;
}

/* Dirt is read as signs without letters, or with no confidence. */
static bool
is_dirt(const char *text, float conf)
{
	return text[0] == '\0' || text[0] == ' ' || conf < WORD_CONF_MIN || (!has_letter(text) && conf < 2 * WORD_CONF_MIN);
}

/* w->text is taken over, also when it fails. */
static int
push_word(struct ocr_page *p, struct ocr_word w, uint32_t *room, struct err *e)
{
	if (w.text == NULL)
		return err_set(e, ERR_MEM, "words");
	if (p->n == *room) {
		uint32_t more = *room == 0 ? 512 : 2 * *room;
		struct ocr_word *v = realloc(p->words, more * sizeof(*v));

		if (v == NULL) {
			free(w.text);
			return err_set(e, ERR_MEM, "words");
		}
		p->words = v;
		*room = more;
	}
	p->words[p->n++] = w;
	return 0;
}

/* "4,4 %" is read as one word, though the gap is there: from *x0 to *x1, in pixels. */
static bool
percent_apart(const TessResultIterator *it, const char *text, int *x0, int *x1)
{
	size_t n = strlen(text);
	TessResultIterator *sign;
	int left = 0, right = 0, top = 0, bottom = 0, before = 0;
	bool ok, last;

	if (n < 2 || text[n - 1] != '%' || text[n - 2] < '0' || text[n - 2] > '9')
		return false;
	sign = TessResultIteratorCopy(it);
	do {
		const TessPageIterator *at = TessResultIteratorGetPageIteratorConst(sign);

		before = right;
		ok = TessPageIteratorBoundingBox(at, RIL_SYMBOL, &left, &top, &right, &bottom);
		last = TessPageIteratorIsAtFinalElement(at, RIL_WORD, RIL_SYMBOL);
	} while (ok && !last && TessResultIteratorNext(sign, RIL_SYMBOL));
	TessResultIteratorDelete(sign);
	*x0 = before;
	*x1 = left;
	return ok && last && left - before >= PERCENT_GAP * (bottom - top);
}

static int
add_word(struct ocr_page *p, const TessResultIterator *it, uint32_t line, uint32_t block, uint32_t *room, struct err *e)
{
	const TessPageIterator *at = TessResultIteratorGetPageIteratorConst(it);
	float conf = TessResultIteratorConfidence(it, RIL_WORD);
	char *text = TessResultIteratorGetUTF8Text(it, RIL_WORD);
	struct ocr_word w = { .line = line, .block = block, .conf = (uint32_t)fmaxf(0, fminf(100, conf)) };
	int x0, y0, x1, y1, bx0, by0, bx1, by1, gap0, gap1, r = 0;

	if (text != NULL && !is_dirt(text, conf) && TessPageIteratorBoundingBox(at, RIL_WORD, &x0, &y0, &x1, &y1)) {
		w.x0 = x0;
		w.y0 = y0;
		w.x1 = x1;
		w.y1 = y1;
		w.base = y1;
		if (TessPageIteratorBaseline(at, RIL_WORD, &bx0, &by0, &bx1, &by1))
			w.base = fmin(fmax((by0 + by1) / 2.0, y0 + (y1 - y0) / 3.0), y1 + (y1 - y0) / 3.0);
		if (percent_apart(it, text, &gap0, &gap1)) {
			struct ocr_word number = w;

			number.x1 = gap0;
			number.text = strndup(text, strlen(text) - 1);
			r = push_word(p, number, room, e);
			w.x0 = gap1;
			w.text = strdup("%");
		} else {
			w.text = strdup(text);
		}
		if (r == 0)
			r = push_word(p, w, room, e);
		else
			free(w.text);
	}
	TessDeleteText(text);
	return r;
}

/* The engine reads lines that run up a page, too, and says nothing of it. */
static bool
runs_up(const struct ocr_word *w)
{
	return strlen(w->text) >= 4 && w->y1 - w->y0 > w->x1 - w->x0;
}

static int
by_height(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

/* What is written by hand is read, too: alone in its line, far taller than the text, and hardly believed. */
static int
drop_scribble(struct ocr_page *p, struct err *e)
{
	AUTO_FREE double *heights = calloc(p->n > 0 ? p->n : 1, sizeof(*heights));
	uint32_t kept = 0;
	double tall;

	if (heights == NULL)
		return err_set(e, ERR_MEM, "words");
	for (uint32_t i = 0; i < p->n; i++)
		heights[i] = p->words[i].y1 - p->words[i].y0;
	qsort(heights, p->n, sizeof(*heights), by_height);
	tall = p->n > 0 ? SCRIBBLE_TALL * heights[p->n / 2] : 0;
	for (uint32_t i = 0, line = UINT32_MAX; i < p->n; i++) {
		struct ocr_word *w = &p->words[i];
		bool alone = w->line != line && (i + 1 == p->n || p->words[i + 1].line != w->line);

		line = w->line;
		if (alone && w->conf < SCRIBBLE_CONF && w->y1 - w->y0 > tall && !runs_up(w))
			free(w->text);
		else
			p->words[kept++] = *w;
	}
	p->n = kept;
	return 0;
}

static int
take_words(TessBaseAPI *api, struct ocr_page *p, struct err *e)
{
	TessResultIterator *it = TessBaseAPIGetIterator(api);
	uint32_t line = UINT32_MAX, block = UINT32_MAX, room = 0;
	uint64_t sum = 0;
	int r = 0;

	if (it == NULL)
		return 0;
	do {
		const TessPageIterator *at = TessResultIteratorGetPageIteratorConst(it);

		block += block == UINT32_MAX || TessPageIteratorIsAtBeginningOf(at, RIL_BLOCK);
		line += line == UINT32_MAX || TessPageIteratorIsAtBeginningOf(at, RIL_TEXTLINE);
		r = add_word(p, it, line, block, &room, e);
	} while (r == 0 && TessResultIteratorNext(it, RIL_WORD));
	TessResultIteratorDelete(it);
	if (r == 0)
		r = drop_scribble(p, e);
	for (uint32_t i = 0; i < p->n; i++)
		sum += p->words[i].conf;
	p->conf = p->n == 0 ? 0 : (uint32_t)(sum / p->n);
	return r;
}

/* Recognises pix as it is. */
static int
recognise(struct ocr *o, PIX *pix, int dpi, struct ocr_page *p, struct err *e)
{
	int r;

	TessBaseAPISetImage2(o->api, pix);
	TessBaseAPISetSourceResolution(o->api, dpi);
	r = TessBaseAPIRecognize(o->api, NULL) == 0 ? take_words(o->api, p, e) :
	                                              err_set(e, ERR_DOC_BAD, "recognition gave up on the page");
	TessBaseAPIClear(o->api);
	return r;
}

/* How much a reading looks like upright language: confident characters count, others count against it. */
static double
sense(const struct ocr_page *p)
{
	double s = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct ocr_word *w = &p->words[i];
		size_t n = strlen(w->text);

		if (n >= 2)
			s += (runs_up(w) ? -40 : (double)w->conf - 60) * (double)(n < 12 ? n : 12);
	}
	return s;
}

/* Read so well, and so much, that there is nothing to compare with. */
static bool
is_plain(const struct ocr_page *p)
{
	return p->conf >= PLAIN_CONF && sense(p) > PLAIN_SENSE;
}

/* --- which way is up --------------------------------------------------------------------------- */

/*
 * Reads the piece of the page with the most text in all four ways; degrees of
 * the best, or 'fallback' where none makes sense.
 */
static int
probe(struct ocr *o, const struct prepared *w, uint32_t fallback, uint32_t *ret, struct err *e)
{
	PIX *piece = prepare_piece(w, (int)(w->dpi * PROBE_INCH));
	double best = 0;
	bool plain = false;
	int r = 0;

	if (piece == NULL)
		return err_set(e, ERR_MEM, "no memory for the page");
	*ret = fallback;
	TessBaseAPISetPageSegMode(o->api, PSM_SINGLE_BLOCK);
	for (int quarters = 0; r == 0 && !plain && quarters < 4; quarters++) {
		PIX *turned = pixRotateOrth(piece, quarters);
		struct ocr_page p = { 0 };
		double s;

		if (turned == NULL) {
			r = err_set(e, ERR_MEM, "no memory for the page");
			break;
		}
		r = recognise(o, turned, w->dpi, &p, e);
		s = sense(&p);
		if (s > best) {
			best = s;
			*ret = (uint32_t)quarters * 90;
		}
		plain = is_plain(&p);
		ocr_page_done(&p);
		pixDestroy(&turned);
	}
	TessBaseAPISetPageSegMode(o->api, PSM_AUTO);
	pixDestroy(&piece);
	return r;
}

/* If memory is short the order is the engine's. */
static void
order(const struct prepared *w, const struct straight *s, struct ocr_page *p)
{
	size_t n = RULES_MAX;
	AUTO_FREE struct order_rule *rules = NULL;

	if (!order_wanted(p->words, p->n) || (rules = calloc(n, sizeof(*rules))) == NULL)
		return;
	prepare_rules(w, s, rules, &n);
	order_columns(p->words, p->n, rules, n);
}

/* One reading with 'turn' degrees; words in pixels of the prepared page, whole, turned, not straightened. */
static int
read_turned(struct ocr *o, const struct prepared *w, uint32_t turn, struct ocr_page *p, struct err *e)
{
	struct straight s;
	int r;

	if ((r = prepare_straight(w, turn, &s, e)) < 0)
		return r;
	if ((r = recognise(o, s.pix, w->dpi, p, e)) == 0)
		order(w, &s, p);
	for (uint32_t i = 0; r == 0 && i < p->n; i++) {
		struct ocr_word *word = &p->words[i];

		prepare_map_back(&s, &word->x0, &word->y0, &word->x1, &word->y1, &word->base);
		prepare_uncrop(w, turn, &word->x0, &word->y0, &word->x1, &word->y1, &word->base);
	}
	p->turn = turn;
	p->skew = s.angle;
	pixDestroy(&s.pix);
	return r;
}

/*
 * Reads the page the way it probably stands.  Only where the layout left doubt
 * and the text does not dispel it, or where a clear layout gives poor text, is
 * a trial of all four ways worth its time.
 */
static int
read_page(struct ocr *o, const struct prepared *w, struct ocr_page *p, struct err *e)
{
	uint32_t turn = 0, better;
	bool sure = prepare_orientation(w, &turn);
	struct ocr_page again = { 0 };
	int r;

	if ((r = read_turned(o, w, turn, p, e)) < 0)
		return r;
	if (sure ? p->conf >= CONF_GOOD : is_plain(p))
		return 0;
	if ((r = probe(o, w, turn, &better, e)) < 0 || better == turn)
		return r;
	if ((r = read_turned(o, w, better, &again, e)) == 0 && sense(&again) > sense(p)) {
		ocr_page_done(p);
		*p = again;
		return 0;
	}
	ocr_page_done(&again);
	return r;
}

/*
 * Where the back shines through, its print is read as words, and spoils lines.  Pale
 * print of this side would go with it: so both are read, and what makes more sense stays.
 */
static int
read_through(struct ocr *o, const struct prepared *w, struct ocr_page *p, struct err *e)
{
	struct ocr_page clear = { 0 };
	struct prepared c;
	int r;

	if ((r = read_page(o, w, p, e)) < 0 || (r = prepare_clear(w, &c, e)) < 0)
		return r;
	if ((r = read_page(o, &c, &clear, e)) == 0 && sense(&clear) > sense(p)) {
		struct ocr_page worse = *p;

		*p = clear;
		clear = worse;
	}
	ocr_page_done(&clear);
	prepare_done(&c);
	return r;
}

int
ocr_read(struct ocr *o, struct Pix *pix, double dpi_x, double dpi_y, struct ocr_page *ret, struct err *e)
{
	struct ocr_page p = { 0 };
	struct prepared w;
	int r;

	if ((r = prepare(&w, pix, dpi_x, dpi_y, e)) < 0)
		return r;
	if (!w.wordless)
		r = w.through ? read_through(o, &w, &p, e) : read_page(o, &w, &p, e);
	prepare_done(&w);
	if (r < 0 || p.conf < PAGE_CONF_MIN)
		ocr_page_done(&p);
	if (r < 0)
		return r;
	p.blank = w.blank;
	for (uint32_t i = 0; i < p.n; i++) {
		bool side = p.turn % 180 != 0;
		struct ocr_word *v = &p.words[i];
		double kx = side ? w.scale_y : w.scale_x, ky = side ? w.scale_x : w.scale_y;

		v->x0 /= kx;
		v->x1 /= kx;
		v->y0 /= ky;
		v->y1 /= ky;
		v->base /= ky;
	}
	*ret = p;
	return 0;
}
