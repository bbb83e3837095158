/* What signatures let others add: each word of ISO 32000-1, 12.8.2.2, 12.8.2.4, 12.7.4.5 and 12.8.4, and the strictest of several. */
#include <stdlib.h>
#include <string.h>

#include "scan/permits.h"
#include "tests/unit/handpdf.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

static struct inspect_result res;

static int
permits(void)
{
	AUTO_FD fd = scans_memory(made.d, made.n);
	struct err e = { 0 };
	struct pdfin p;
	AUTO_SOURCE s;
	int r;

	s = (struct source){ 0 };
	res = (struct inspect_result){ .kind = DOC_PDF, .pages = 7 };
	if ((r = source_open(&s, fd, &e)) == 0 && (r = pdfin_open(&p, &s, &e)) == 0) {
		r = permits_check(&p, 100, &res, &e);
		pdfin_done(&p);
	}
	if (r < 0)
		printf("# %s\n", e.text);
	return r;
}

#define DOCMDP(params) "<</Type/SigRef/TransformMethod/DocMDP/TransformParams" params ">>"
#define FIELDMDP(params) "<</Type/SigRef/TransformMethod/FieldMDP/TransformParams" params ">>"

/* One field with one signature: what its dictionary has, what the field has, what the catalog has. */
static const struct {
	const char *name;
	const char *sig, *field, *catalog;
	uint32_t allowed;
	const char *says; /* part of it; NULL: nothing */
} cases[] = {
	{ "an approval signature", "", "", "", SEAL_SEEN, NULL },
	{ "references that are none", "/Reference[]", "", "", SEAL_SEEN, NULL },
	{ "certified, no change", "/Reference[" DOCMDP("<</P 1/V/1.2>>") "]", "", "/Perms<</DocMDP 5 0 R>>", SEAL_FORBIDDEN, "P 1" },
	{ "certified, filling in and signing", "/Reference[" DOCMDP("<</P 2>>") "]", "", "/Perms<</DocMDP 5 0 R>>", SEAL_UNSEEN, "P 2" },
	{ "certified, annotations, too", "/Reference[" DOCMDP("<</P 3>>") "]", "", "/Perms<</DocMDP 5 0 R>>", SEAL_SEEN, NULL },
	{ "certified without saying how", "/Reference[" DOCMDP("<<>>") "]", "", "", SEAL_UNSEEN, "P 2" },
	{ "certified without parameters", "/Reference[<</TransformMethod/DocMDP>>]", "", "", SEAL_UNSEEN, "P 2" },
	{ "certified by a number there is not", "/Reference[" DOCMDP("<</P 4>>") "]", "", "", SEAL_FORBIDDEN, "not say clearly" },
	{ "certified by what is no number", "/Reference[" DOCMDP("<</P/3>>") "]", "", "", SEAL_FORBIDDEN, "not say clearly" },
	{ "a certification that no signature speaks of", "", "", "/Perms<</DocMDP 5 0 R>>", SEAL_FORBIDDEN, "not say clearly" },
	{ "a reference that is no list", "/Reference<</TransformMethod/DocMDP>>", "", "", SEAL_FORBIDDEN, "not say clearly" },
	{ "another way of protecting", "/Reference[<</TransformMethod/Magic>>]", "", "", SEAL_FORBIDDEN, "not known" },
	{ "the document as it is", "/Reference[<</TransformMethod/Identity>>]", "", "", SEAL_SEEN, NULL },
	{ "all fields locked", "/Reference[" FIELDMDP("<</Action/All>>") "]", "", "", SEAL_FORBIDDEN, "locks the form" },
	{ "all but some", "/Reference[" FIELDMDP("<</Action/Exclude/Fields[(Name)]>>") "]", "", "", SEAL_FORBIDDEN, "locks the form" },
	{ "some fields locked", "/Reference[" FIELDMDP("<</Action/Include/Fields[(Name)(Sum.1)]>>") "]", "", "", SEAL_SEEN, NULL },
	{ "none of them", "/Reference[" FIELDMDP("<</Action/Include/Fields[]>>") "]", "", "", SEAL_SEEN, NULL },
	{ "one that could be a seal's", "/Reference[" FIELDMDP("<</Action/Include/Fields[(Name)(Seal1)]>>") "]", "", "", SEAL_FORBIDDEN,
	    "can be that of a seal" },
	{ "or its time stamp's", "/Reference[" FIELDMDP("<</Action/Include/Fields[(Timestamp2)]>>") "]", "", "", SEAL_FORBIDDEN,
	    "can be that of a seal" },
	{ "one without a name", "/Reference[" FIELDMDP("<</Action/Include/Fields[()]>>") "]", "", "", SEAL_FORBIDDEN, "can be that" },
	{ "some without a list", "/Reference[" FIELDMDP("<</Action/Include>>") "]", "", "", SEAL_FORBIDDEN, "locks fields" },
	{ "a lock without a word", "/Reference[" FIELDMDP("<<>>") "]", "", "", SEAL_FORBIDDEN, "locks fields" },
	{ "the field's own lock", "", "/Lock<</Action/All>>", "", SEAL_FORBIDDEN, "locks the form" },
	{ "which names others", "", "/Lock<</Action/Include/Fields[(Name)]>>", "", SEAL_SEEN, NULL },
	{ "and forbids changes", "", "/Lock<</Action/Include/Fields[(Name)]/P 1>>", "", SEAL_FORBIDDEN, "P 1" },
	{ "or allows signing", "", "/Lock<</Action/Include/Fields[(Name)]/P 2>>", "", SEAL_UNSEEN, "P 2" },
	{ "or annotations", "", "/Lock<</Action/Include/Fields[(Name)]/P 3>>", "", SEAL_SEEN, NULL },
	{ "usage rights in the catalog", "", "", "/Perms<</UR3<</Contents<30>>>>>", SEAL_FORBIDDEN, "usage rights" },
	{ "older ones", "", "", "/Perms<</UR<</Contents<30>>>>>", SEAL_FORBIDDEN, "usage rights" },
	{ "usage rights of a signature", "/Reference[<</TransformMethod/UR3>>]", "", "", SEAL_FORBIDDEN, "usage rights" },
	{ "the stricter one of two", "/Reference[" DOCMDP("<</P 2>>") FIELDMDP("<</Action/All>>") "]", "", "", SEAL_FORBIDDEN, "locks the form" },
	{ "whichever comes first", "/Reference[" FIELDMDP("<</Action/All>>") DOCMDP("<</P 2>>") "]", "", "", SEAL_FORBIDDEN, "locks the form" },
};

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char field[1000], sig[1000], catalog[1000];
		const char *const more[] = { field, sig };

		snprintf(field, sizeof(field), "<</FT/Sig/T(Chair)/V 5 0 R%s>>", cases[i].field);
		snprintf(sig, sizeof(sig), "<</Type/Sig/Contents<3003020101>%s>>", cases[i].sig);
		snprintf(catalog, sizeof(catalog), "/AcroForm<</Fields[4 0 R]>>%s", cases[i].catalog);
		make(catalog, "", 2, more);
		CHECK(permits() == 0 && res.allowed == cases[i].allowed && res.sigs >= 1 && res.kind == DOC_PDF && res.pages == 7 &&
		        (cases[i].says == NULL ? res.forbids[0] == '\0' : strstr(res.forbids, cases[i].says) != NULL),
		    "%s: %u, %s", cases[i].name, res.allowed, res.forbids);
	}
}

static void
test_others(void)
{
	const char *const two[] = { "<</FT/Sig/T(A)/V 6 0 R>>", "<</FT/Sig/T(B)/V 7 0 R>>", "<</Type/Sig/Contents<30>>>",
		"<</Type/Sig/Contents<30>/Reference[" DOCMDP("<</P 1>>") "]>>" };
	const char *const unsigned_one[] = { "<</FT/Sig/T(A)/Lock<</Action/All>>>>" };
	static char fields[40 * (EARLIER_MAX + 2)], field[EARLIER_MAX + 2][64];
	const char *many[EARLIER_MAX + 2];
	size_t n = 0;

	make("/AcroForm<</Fields[4 0 R 5 0 R]>>", "", 4, two);
	CHECK(permits() == 0 && res.sigs == 2 && res.allowed == SEAL_FORBIDDEN && strstr(res.forbids, "\"B\"") != NULL,
	    "the word of any signature counts, and it is named: %s", res.forbids);
	make("/AcroForm<</Fields[4 0 R]>>", "", 1, unsigned_one);
	CHECK(permits() == 0 && res.sigs == 0 && res.allowed == SEAL_SEEN && res.forbids[0] == '\0',
	    "a lock that waits for a signature does not hold yet");
	make("/Perms<</Other<<>>>>", "", 0, NULL);
	CHECK(permits() == 0 && res.sigs == 0 && res.allowed == SEAL_SEEN, "without signatures all is allowed");
	n += (size_t)snprintf(fields, sizeof(fields), "/AcroForm<</Fields[");
	for (int i = 0; i < EARLIER_MAX + 1; i++) {
		snprintf(field[i], sizeof(field[i]), "<</FT/Sig/T(S%d)/V<</Contents<30>>>>>", i);
		many[i] = field[i];
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, "%d 0 R ", i + 4);
	}
	snprintf(fields + n, sizeof(fields) - n, "]>>");
	make(fields, "", EARLIER_MAX + 1, many);
	CHECK(permits() == -ERR_DOC_FOREIGN, "more than can be judged beside a seal are too many");
}

int
main(void)
{
	test_cases();
	test_others();
	return TEST_DONE();
}
