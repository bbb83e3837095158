/*
 * handpdf.h - small PDFs by hand: made.d, made.n bytes.
 *
 *	make("/AcroForm<</Fields[4 0 R]>>", "/Annots[]", n, objects)    catalog and page entries, objects from 4 on
 */
#ifndef SEALROOM_HANDPDF_H
#define SEALROOM_HANDPDF_H

#include <stdarg.h>
#include <stdio.h>

struct made {
	char d[200000];
	size_t n, at[300];
	int objects;
};

static struct made made;

__attribute__((format(printf, 1, 2))) static inline void
add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	made.n += (size_t)vsnprintf(made.d + made.n, sizeof(made.d) - made.n, fmt, ap);
	va_end(ap);
}

static inline void
object(const char *text)
{
	made.at[++made.objects] = made.n;
	add("%d 0 obj\n%s\nendobj\n", made.objects, text);
}

/* 1 catalog, 2 pages, 3 page; then those given, from number 4. */
static inline void
make(const char *catalog, const char *page, int n, const char *const *more)
{
	char text[4000];
	size_t xref;

	made = (struct made){ 0 };
	add("%%PDF-1.7\n");
	snprintf(text, sizeof(text), "<</Type/Catalog/Pages 2 0 R%s>>", catalog);
	object(text);
	object("<</Type/Pages/Count 1/Kids[3 0 R]>>");
	snprintf(text, sizeof(text), "<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]%s>>", page);
	object(text);
	for (int i = 0; i < n; i++)
		object(more[i]);
	xref = made.n;
	add("xref\n0 %d\n0000000000 65535 f \n", made.objects + 1);
	for (int i = 1; i <= made.objects; i++)
		add("%010zu 00000 n \n", made.at[i]);
	add("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF\n", made.objects + 1, xref);
}

#endif
