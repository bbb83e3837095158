#include <jansson.h>
#include <math.h>
#include <string.h>

#include "agent/lib/path.h"

#include "agent/cmd_wordformat.h"

#define MPT_INCH 72000.0
#define DPI_DRAWN 300  /* hOCR counts pixels: of a page that is not one image */
#define ALTO_INCH 1200

/* --- text --------------------------------------------------------------------------------- */

/* XML 1.0, 2.2, without the characters it only discourages; neither do lines of TSV hold others. */
static bool
is_writable(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7F && c < 0xA0) && (c & 0xFFFE) != 0xFFFE;
}

static void
put_text(FILE *f, const char *text, bool xml)
{
	const char *s = text, *end = text + strlen(text);

	while (s < end) {
		const char *at = s;
		uint32_t c = utf8_next(&s, end);

		if (!is_writable(c) || c == 0xFFFD)
			fputs("\xEF\xBF\xBD", f);
		else if (xml && (c == '<' || c == '>' || c == '&' || c == '"' || c == '\''))
			fprintf(f, "&#%u;", c);
		else
			fwrite(at, 1, (size_t)(s - at), f);
	}
}

/* --- lines and blocks ---------------------------------------------------------------------- */

/* Words i to n-1 of a line, or of a block. */
struct run {
	uint32_t i, n;
	struct box box;
};

static struct run
run_from(const struct pagefile *p, uint32_t i, bool block)
{
	const struct word *w = p->words;
	struct run r = { i, i, w[i].box };

	for (; r.n < p->nwords && w[r.n].block == w[i].block && (block || w[r.n].line == w[i].line); r.n++) {
		const struct box *b = &w[r.n].box;

		r.box.x0 = b->x0 < r.box.x0 ? b->x0 : r.box.x0;
		r.box.y0 = b->y0 < r.box.y0 ? b->y0 : r.box.y0;
		r.box.x1 = b->x1 > r.box.x1 ? b->x1 : r.box.x1;
		r.box.y1 = b->y1 > r.box.y1 ? b->y1 : r.box.y1;
	}
	return r;
}

/* --- TSV ------------------------------------------------------------------------------------- */

static void
tsv_begin(FILE *f, struct word_about *a)
{
	(void)a;
	fputs("page\tblock\tline\tword\tleft\ttop\tright\tbottom\tbase\tconf\ttext\n", f);
}

static void
tsv_page(FILE *f, struct word_about *a, uint32_t page, const struct pagefile *p)
{
	(void)a;
	for (uint32_t i = 0; i < p->nwords; i++) {
		const struct word *w = &p->words[i];

		fprintf(f, "%u\t%u\t%u\t%u\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%u\t", page + 1, w->block + 1u, w->line + 1u, i + 1,
		    w->box.x0 / 1e3, w->box.y0 / 1e3, w->box.x1 / 1e3, w->box.y1 / 1e3, w->base / 1e3, w->conf);
		put_text(f, w->text, false);
		fputc('\n', f);
	}
}

static void
no_end(FILE *f, struct word_about *a)
{
	(void)f;
	(void)a;
}

/* --- hOCR ------------------------------------------------------------------------------------ */

static void
hocr_begin(FILE *f, struct word_about *a)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" "
	      "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n"
	      "<html xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<title>", f);
	put_text(f, a->name, true);
	fputs("</title>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n<meta name=\"ocr-system\" content=\"", f);
	put_text(f, a->engine, true);
	fputs("\"/>\n<meta name=\"ocr-capabilities\" content=\"ocr_page ocr_carea ocr_line ocrx_word ocrp_wconf\"/>\n"
	      "</head>\n<body>\n", f);
}

/* Pixels of the page as it was scanned, if it was. */
struct pixels {
	double x, y; /* dots per inch */
};

static int
in_pixels(int32_t mpt, double dpi)
{
	return (int)lround(mpt * dpi / MPT_INCH);
}

static void
hocr_box(FILE *f, const struct pixels *k, const struct box *b)
{
	fprintf(f, "bbox %d %d %d %d", in_pixels(b->x0, k->x), in_pixels(b->y0, k->y), in_pixels(b->x1, k->x),
	    in_pixels(b->y1, k->y));
}

static void
hocr_line(FILE *f, const struct pixels *k, uint32_t page, const struct pagefile *p, const struct run *line)
{
	fprintf(f, "<span class='ocr_line' id='line_%u_%u' title='", page + 1, line->i + 1);
	hocr_box(f, k, &line->box);
	fprintf(f, "; baseline 0 %d'>", in_pixels(p->words[line->i].base - line->box.y1, k->y));
	for (uint32_t i = line->i; i < line->n; i++) {
		const struct word *w = &p->words[i];

		fprintf(f, "%s<span class='ocrx_word' id='word_%u_%u' title='", i > line->i ? " " : "", page + 1, i + 1);
		hocr_box(f, k, &w->box);
		fprintf(f, "; x_wconf %u'>", w->conf);
		put_text(f, w->text, true);
		fputs("</span>", f);
	}
	fputs("</span>\n", f);
}

static void
hocr_page(FILE *f, struct word_about *a, uint32_t page, const struct pagefile *p)
{
	const bool scanned = p->nobjects > 0 && p->dpi_x > 0 && p->dpi_y > 0;
	struct pixels k = { scanned ? p->dpi_x : DPI_DRAWN, scanned ? p->dpi_y : DPI_DRAWN };
	int32_t w, h;

	pagefile_view(p, &w, &h);
	fprintf(f, "<div class='ocr_page' id='page_%u' title='image \"", page + 1);
	put_text(f, a->name, true);
	fprintf(f, "\"; bbox 0 0 %d %d; ppageno %u; scan_res %.0f %.0f'>\n", in_pixels(w, k.x), in_pixels(h, k.y), page, k.x, k.y);
	for (uint32_t i = 0; i < p->nwords;) {
		struct run block = run_from(p, i, true);

		fprintf(f, "<div class='ocr_carea' id='block_%u_%u' title='", page + 1, i + 1);
		hocr_box(f, &k, &block.box);
		fputs("'>\n", f);
		while (i < block.n) {
			struct run line = run_from(p, i, false);

			hocr_line(f, &k, page, p, &line);
			i = line.n;
		}
		fputs("</div>\n", f);
	}
	fputs("</div>\n", f);
}

static void
hocr_end(FILE *f, struct word_about *a)
{
	(void)a;
	fputs("</body>\n</html>\n", f);
}

/* --- ALTO ------------------------------------------------------------------------------------- */

static void
alto_begin(FILE *f, struct word_about *a)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<alto xmlns=\"http://www.loc.gov/standards/alto/ns-v4#\" SCHEMAVERSION=\"4.4\">\n<Description>\n"
	      "<MeasurementUnit>inch1200</MeasurementUnit>\n<sourceImageInformation><fileName>", f);
	put_text(f, a->name, true);
	fputs("</fileName></sourceImageInformation>\n<Processing ID=\"engine\"><processingSoftware><softwareName>", f);
	put_text(f, a->engine, true);
	fputs("</softwareName></processingSoftware></Processing>\n<Processing ID=\"sealroom\"><processingSoftware>"
	      "<softwareName>sealroom</softwareName><softwareVersion>", f);
	put_text(f, a->version, true);
	fputs("</softwareVersion></processingSoftware></Processing>\n</Description>\n<Layout>\n", f);
}

static int
in_1200(int32_t mpt)
{
	return in_pixels(mpt, ALTO_INCH);
}

/* Both sides are rounded, so that what touches still does. */
static void
alto_box(FILE *f, const struct box *b)
{
	const int x = in_1200(b->x0), y = in_1200(b->y0);

	fprintf(f, " HPOS=\"%d\" VPOS=\"%d\" WIDTH=\"%d\" HEIGHT=\"%d\"", x, y, in_1200(b->x1) - x, in_1200(b->y1) - y);
}

static void
alto_line(FILE *f, uint32_t page, const struct pagefile *p, const struct run *line)
{
	fprintf(f, "<TextLine ID=\"line_%u_%u\" BASELINE=\"%d\"", page + 1, line->i + 1, in_1200(p->words[line->i].base));
	alto_box(f, &line->box);
	fputs(">", f);
	for (uint32_t i = line->i; i < line->n; i++) {
		const struct word *w = &p->words[i];

		fprintf(f, "%s<String ID=\"word_%u_%u\"", i > line->i ? "<SP/>" : "", page + 1, i + 1);
		alto_box(f, &w->box);
		fprintf(f, " WC=\"%.2f\" CONTENT=\"", w->conf / 100.0);
		put_text(f, w->text, true);
		fputs("\"/>", f);
	}
	fputs("</TextLine>\n", f);
}

static void
alto_page(FILE *f, struct word_about *a, uint32_t page, const struct pagefile *p)
{
	int32_t w, h;

	(void)a;
	pagefile_view(p, &w, &h);
	fprintf(f, "<Page ID=\"page_%u\" PHYSICAL_IMG_NR=\"%u\" WIDTH=\"%d\" HEIGHT=\"%d\">\n"
	           "<PrintSpace HPOS=\"0\" VPOS=\"0\" WIDTH=\"%d\" HEIGHT=\"%d\">\n",
	    page + 1, page + 1, in_1200(w), in_1200(h), in_1200(w), in_1200(h));
	for (uint32_t i = 0; i < p->nwords;) {
		struct run block = run_from(p, i, true);

		fprintf(f, "<TextBlock ID=\"block_%u_%u\"", page + 1, i + 1);
		alto_box(f, &block.box);
		fputs(">\n", f);
		while (i < block.n) {
			struct run line = run_from(p, i, false);

			alto_line(f, page, p, &line);
			i = line.n;
		}
		fputs("</TextBlock>\n", f);
	}
	fputs("</PrintSpace>\n</Page>\n", f);
}

static void
alto_end(FILE *f, struct word_about *a)
{
	(void)a;
	fputs("</Layout>\n</alto>\n", f);
}

/* --- JSON: one value, a page of it at a time ------------------------------------------------------ */

/* Takes the value. */
static void
put_json(FILE *f, json_t *v)
{
	if (v == NULL || json_dumpf(v, f, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0)
		fputs("\"\"", f);
	json_decref(v);
}

static void
json_begin(FILE *f, struct word_about *a)
{
	fputs("{\"file\":", f);
	put_json(f, json_string(a->name));
	fputs(",\"engine\":", f);
	put_json(f, json_string(a->engine));
	fputs(",\"pages\":[", f);
}

static json_t *
json_word(const struct word *w)
{
	return json_pack("{s:s, s:[f, f, f, f], s:f, s:i, s:i, s:i}", "text", w->text, "box", w->box.x0 / 1e3, w->box.y0 / 1e3,
	    w->box.x1 / 1e3, w->box.y1 / 1e3, "base", w->base / 1e3, "conf", (int)w->conf, "block", w->block + 1, "line", w->line + 1);
}

static void
json_page(FILE *f, struct word_about *a, uint32_t page, const struct pagefile *p)
{
	int32_t w, h;

	pagefile_view(p, &w, &h);
	fprintf(f, "%s\n{\"page\":%u,\"size\":[%.3f,%.3f],\"words\":[", a->begun ? "," : "", page + 1, w / 1e3, h / 1e3);
	for (uint32_t i = 0; i < p->nwords; i++) {
		fputs(i > 0 ? ",\n" : "\n", f);
		put_json(f, json_word(&p->words[i]));
	}
	fputs("]}", f);
	a->begun = true;
}

static void
json_end(FILE *f, struct word_about *a)
{
	fputs("]", f);
	if (a->err != NULL) {
		fputs(",\"error\":", f);
		put_json(f, json_string(err_word(a->err->code)));
		fputs(",\"text\":", f);
		put_json(f, json_string(a->err->text));
	}
	fputs("}\n", f);
}

/* ------------------------------------------------------------------------------------------------ */

const struct word_format *
word_format(const char *name)
{
	static const struct word_format all[] = {
		{ "tsv", tsv_begin, tsv_page, no_end },
		{ "hocr", hocr_begin, hocr_page, hocr_end },
		{ "alto", alto_begin, alto_page, alto_end },
		{ "json", json_begin, json_page, json_end },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	return NULL;
}
