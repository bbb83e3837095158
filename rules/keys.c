#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/confint.h"
#include "rules/ere.h"
#include "rules/fold.h"
#include "rules/keys.h"
#include "rules/value.h"

/* --- types that one key alone has ------------------------------------------------------ */

static const char *const corners[] = { "top-left", "top-right", "bottom-left", "bottom-right", NULL };

static int
word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

static const char *
nth_set(struct conf_reader *r, void *at, const char *text)
{
	static const char *const words[] = { "first", "last", "only", NULL };
	struct conf_place *p = at;
	int i = word_index(words, text);
	uint64_t n;

	(void)r;
	if (i >= 0) {
		p->nth = (enum place_nth)i;
		return NULL;
	}
	if (value_number(text, &n) < 0 || n < 1 || n > 1000)
		return N_("write \"first\", \"last\", \"only\" or a number from 1 to 1000");
	p->nth = NTH_NUMBER;
	p->nth_number = (uint32_t)n;
	return NULL;
}

static void
nth_text(const void *at, char *dst, size_t size)
{
	static const char *const words[] = { "first", "last", "only" };
	const struct conf_place *p = at;

	if (p->nth == NTH_NUMBER)
		snprintf(dst, size, "%u", p->nth_number);
	else
		snprintf(dst, size, "%s", words[p->nth]);
}

static const char *
at_set(struct conf_reader *r, void *at, const char *text)
{
	struct conf_place *p = at;
	int i = word_index(corners, text);

	(void)r;
	if (i < 0)
		return N_("write \"top-left\", \"top-right\", \"bottom-left\" or \"bottom-right\"");
	p->fixed = true;
	p->at_corner = (enum place_corner)i;
	return NULL;
}

static void
at_text(const void *at, char *dst, size_t size)
{
	const struct conf_place *p = at;

	snprintf(dst, size, "%s", p->fixed ? corners[p->at_corner] : "");
}

static const char *
otherwise_set(struct conf_reader *r, void *at, const char *text)
{
	struct conf_place *p = at;
	int corner = CORNER_BOTTOM_RIGHT;

	(void)r;
	if (strcmp(text, "hold") == 0) {
		p->otherwise = ELSE_HOLD;
	} else if (strcmp(text, "invisible") == 0) {
		p->otherwise = ELSE_INVISIBLE;
	} else if (strcmp(text, "free-space") == 0) {
		p->otherwise = ELSE_FREE;
	} else if (strncmp(text, "corner", 6) == 0 &&
	    (text[6] == '\0' || (text[6] == ':' && (corner = word_index(corners, text + 7)) >= 0))) {
		p->otherwise = ELSE_CORNER;
		p->else_corner = (enum place_corner)corner;
	} else {
		return N_("write \"hold\", \"invisible\", \"free-space\", \"corner\" or a named one such as \"corner:top-left\"");
	}
	return NULL;
}

static void
otherwise_text(const void *at, char *dst, size_t size)
{
	static const char *const words[] = { [ELSE_HOLD] = "hold", [ELSE_INVISIBLE] = "invisible", [ELSE_FREE] = "free-space" };
	const struct conf_place *p = at;

	if (p->otherwise == ELSE_CORNER)
		snprintf(dst, size, "corner:%s", corners[p->else_corner]);
	else
		snprintf(dst, size, "%s", words[p->otherwise]);
}

static const char *
marks_set(struct conf_reader *r, void *at, const char *text)
{
	struct conf_pages *p = at;

	(void)r;
	if (strcmp(text, "none") == 0)
		*p = (struct conf_pages){ .kind = PAGES_NONE };
	else if (value_pages(text, p) < 0)
		return N_("write \"none\", \"1\", \"last\", \"2-3\" or \"all\"");
	return NULL;
}

static void
marks_text(const void *at, char *dst, size_t size)
{
	char text[VALUE_MAX];

	value_pages_text(at, text);
	snprintf(dst, size, "%s", text);
}

#define COUNT_MAX 100000ul
#define COUNT_SAID N_("write a number of pages, as \"1\", \"2-5\" or \"3-\"")

/* A way, a time, or both. */
static const char *
poll_set(struct conf_reader *r, void *at, const char *text)
{
	static const char said[] = N_("write a time from 100ms to 1h, \"always\" or \"never\", or both, as \"always 5s\"");
	static const char *const words[] = { "always", "never" };
	struct conf_folder *f = at;
	enum conf_poll poll = POLL_AUTO;
	uint64_t ms = 0;

	(void)r;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(words[i]);

		if (strncmp(text, words[i], n) == 0 && (text[n] == '\0' || text[n] == ' ')) {
			poll = i == 0 ? POLL_ALWAYS : POLL_NEVER;
			text += n + strspn(text + n, " ");
			break;
		}
	}
	if ((*text != '\0' || poll == POLL_AUTO) && (value_time(text, &ms) < 0 || ms < 100 || ms > 3600000))
		return said;
	f->poll = poll;
	f->poll_ms = ms;
	return NULL;
}

static void
poll_text(const void *at, char *dst, size_t size)
{
	const struct conf_folder *f = at;
	char time[VALUE_MAX] = "";

	if (f->poll_ms != 0)
		value_time_text(f->poll_ms, time);
	snprintf(dst, size, "%s%s%s", f->poll == POLL_ALWAYS ? "always" : f->poll == POLL_NEVER ? "never" : "",
	    f->poll != POLL_AUTO && *time != '\0' ? " " : "", time);
}

static const char *
ere_set(struct conf_reader *r, void *at, const char *text)
{
	struct conf_ere *x = at;

	if (!ere_check(text, r->why, sizeof(r->why)) || !ere_compile(&x->re, text, r->why, sizeof(r->why)))
		return r->why;
	if ((x->text = conf_dup(r, text)) == NULL)
		regfree(&x->re);
	return NULL;
}

static void
ere_text(const void *at, char *dst, size_t size)
{
	const struct conf_ere *x = at;

	snprintf(dst, size, "%s", x->text == NULL ? "" : x->text);
}

/* "3", "2-5" or "3-": how many pages the document has. */
static const char *
count_set(struct conf_reader *r, void *at, const char *text)
{
	struct conf_rule *rule = at;
	char *end;
	unsigned long least = strtoul(text, &end, 10), most = least;

	(void)r;
	if (*text < '0' || *text > '9' || least == 0 || least > COUNT_MAX)
		return COUNT_SAID;
	if (*end == '-')
		most = end[1] == '\0' ? COUNT_MAX : end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : 0;
	if ((*end != '\0' && strcmp(end, "-") != 0) || most < least || most > COUNT_MAX)
		return COUNT_SAID;
	rule->min_pages = (uint32_t)least;
	rule->max_pages = (uint32_t)most;
	return NULL;
}

static void
count_text(const void *at, char *dst, size_t size)
{
	const struct conf_rule *rule = at;

	dst[0] = '\0';
	if (rule->min_pages == 0)
		return;
	if (rule->max_pages == COUNT_MAX)
		snprintf(dst, size, "%u-", rule->min_pages);
	else if (rule->min_pages == rule->max_pages)
		snprintf(dst, size, "%u", rule->min_pages);
	else
		snprintf(dst, size, "%u-%u", rule->min_pages, rule->max_pages);
}

static const char *
pin_set(struct conf_reader *r, void *at, const char *text)
{
	const char **pin = at;
	const char *name = text + 11;

	if (strncmp(text, "file:", 5) == 0 && text[5] != '\0') {
		const char *path = conf_path(r, text + 5);
		char *full = path == NULL ? NULL : conf_alloc(r, strlen(path) + 6);

		if (full != NULL)
			snprintf(full, strlen(path) + 6, "file:%s", path);
		*pin = full;
		return r->oom || path != NULL ? NULL : r->why;
	}
	if (strncmp(text, "credential:", 11) == 0 && *name != '\0' && strchr(name, '/') == NULL && *name != '.') {
		*pin = conf_dup(r, text);
		return NULL;
	}
	if (strcmp(text, CONF_PIN_LOGIN) == 0) {
		*pin = conf_dup(r, text);
		return NULL;
	}
	return N_("a PIN never stands in the settings: write \"credential:NAME\", \"file:PATH\" or \"login\"");
}

static void
pin_text(const void *at, char *dst, size_t size)
{
	const char *const *pin = at;

	snprintf(dst, size, "%s", *pin == NULL ? "" : *pin);
}

static const char *
color_set(struct conf_reader *r, void *at, const char *text)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	uint8_t *rgb = at;
	unsigned v[3];

	(void)r;
	if (strlen(text) != 7 || text[0] != '#' || strspn(text + 1, digits) != 6 ||
	    sscanf(text + 1, "%2x%2x%2x", &v[0], &v[1], &v[2]) != 3)
		return N_("write \"#RRGGBB\", as \"#1a366b\"");
	for (int i = 0; i < 3; i++)
		rgb[i] = (uint8_t)v[i];
	return NULL;
}

static void
color_text(const void *at, char *dst, size_t size)
{
	const uint8_t *rgb = at;

	snprintf(dst, size, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

/* clang-format off */
static const struct key_own
	own_nth  = { N_("a word or a number"), nth_set, nth_text },
	own_at   = { N_("the name of a corner"), at_set, at_text },
	own_else = { N_("a word"), otherwise_set, otherwise_text },
	own_marks = { N_("pages"), marks_set, marks_text },
	own_poll = { N_("a time or a word"), poll_set, poll_text },
	own_ere  = { N_("a POSIX extended regular expression"), ere_set, ere_text },
	own_count = { N_("a number of pages"), count_set, count_text },
	own_pin  = { N_("the place of the PIN"), pin_set, pin_text },
	own_color = { N_("a colour"), color_set, color_text };

static const char *const languages[] = { "de", "en", NULL };
static const char *const levels[]    = { "B-B", "B-T", NULL };
static const char *const aligns[]    = { "left", "center", "right", NULL };
static const char *const sides[]     = { "right", "left", "above", "below", "over", NULL };
static const char *const types[]     = { "text", "number", "date", "amount", NULL };
static const char *const alongs[]    = { "auto", "start", "middle", "end", NULL };
static const char *const inks[]      = { "avoid", "ignore", NULL };
static const char *const claims[]    = { "copy", "rename", NULL };
static const char *const starts[]    = { "spawn", "connect", NULL };
static const char *const tickets[]   = { "none", "optional", "required", NULL };
static const char *const duplicate[] = { "seal", "hold", "refuse", NULL };
static const char *const stacks[]    = { "divide", "hold", NULL };
static const char *const not_who[]   = { "nobody", "dropper", NULL };
static const char *const symbols[]   = { "refuse", "allow", NULL };
static const char *const blanks[]    = { "keep", "mark", "drop", NULL };
static const char *const unread[]    = { "refuse", "keep", NULL };
static const char *const no_resolution[] = { "estimate", "hold", NULL };
static const char *const came_signed[] = { "append", "hold", NULL };
static const char *const signed_place[] = { "invisible", "hold", NULL };
static const char *const log_names[] = { "hashed", "plain", NULL };

/* --- the table ------------------------------------------------------------------------- */

#define S(n) ((int64_t)(n) * 1000)
#define H(n) S((n) * 3600LL)
#define KiB 1024LL
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)

#define AT(f) offsetof(struct conf_folder, f)
static const struct conf_key give_keys[] = {
	{ "mode", KEY_MODE, AT(give_mode), 0400, 0777, "0660", "mode of delivered files; their group is the folder's", NULL },
	{ "keep", KEY_TIME, AT(give_keep_ms), S(1), H(24 * 3650), "", "results are taken out of the folder again after this time, where they are archived and logged; default: never", NULL },
	{ 0 },
};
static const struct key_group give = { give_keys, NOWHERE, NULL, 0 };

static const struct conf_key release_keys[] = {
	{ "by",  KEY_TEXTS,  AT(release_by),          0, 100, "",       "users and @groups who may decide; default: the operators", NULL },
	{ "not", KEY_SWITCH, AT(release_not_dropper), 0, 0,   "nobody", "\"dropper\": who dropped a document does not decide about it (four eyes), or \"nobody\"", not_who },
	{ 0 },
};
static const struct key_group release = { release_keys, NOWHERE, NULL, 0 };

static const struct conf_key separator_keys[] = {
	{ "patch",   KEY_TEXTS, AT(separator_patch), 0, 6, "", "patch codes of separator sheets: \"1\", \"2\", \"3\", \"4\", \"6\" or \"T\"", NULL },
	{ "barcode", KEY_OWN,   AT(separator),       0, 0, "", "regular expression (POSIX extended): a page with a barcode whose text it fits is a separator sheet", &own_ere },
	{ "stack",   KEY_WORD,  AT(stack),           STACK_DIVIDE, 0, "divide", "a stack of several documents: \"divide\" makes each a document of its own, \"hold\" asks a person", stacks },
	{ 0 },
};
static const struct key_group separator = { separator_keys, NOWHERE, NULL, 0 };

static const struct conf_key folder_keys[] = {
	{ "path",           KEY_PATH,   AT(path),            1, 4095,       NULL,     N_("the hot folder"), NULL },
	{ "rules",          KEY_TEXTS,  AT(rule_names),      1, 100,        NULL,     N_("names of rules, tried in this order"), NULL },
	{ "seals",          KEY_TEXTS,  AT(seal_names),      0, 100,        "",       "names of the only seals that may be used here", NULL },
	{ "language",       KEY_CHOICE, AT(language),        0, 0,          "",       "what people of this folder read; default: as language above", languages },
	{ "settle",         KEY_TIME,   AT(settle_ms),       20, H(1),      "",       "quiet this long = the scanner is done; default: 10s, 30s on a network file system", NULL },
	{ "incomplete_max", KEY_TIME,   AT(incomplete_ms),   20, H(24 * 30),"24h",    "an unfinished file is given up after this time", NULL },
	{ "poll",           KEY_OWN,    0,                   0, 0,          "",       "the folder is read anew this often; default: 30s, 10s on a network file system; \"always\": as on one, \"never\": as on a local one", &own_poll },
	{ "claim",          KEY_SWITCH, AT(claim_rename),    0, 0,          "copy",   "\"copy\", or \"rename\" when several hosts take from this folder", claims },
	{ "allow",          KEY_TEXTS,  AT(allow),           0, 100,        "",       "users and @groups whose files are taken, by the file's owner; default: everybody's", NULL },
	{ "ticket",         KEY_WORD,   AT(ticket),          TICKET_NONE, 0, "none",  "NAME.ticket beside a document: \"none\" is taken, \"optional\" or \"required\"", tickets },
	{ "duplicates",     KEY_WORD,   AT(duplicates),      DUPLICATES_SEAL, 0, "seal", "the same bytes once more, within 90 days: \"seal\" and say so, \"hold\" or \"refuse\"", duplicate },
	{ "separator",      KEY_GROUP,  0,                   0, 0,          "",       "sheets that stand between the documents of a stack", &separator },
	{ "give",           KEY_GROUP,  0,                   0, 0,          "",       "how results are delivered", &give },
	{ "release",        KEY_GROUP,  0,                   0, 0,          "",       "who decides about held documents", &release },
	{ "status_file",    KEY_BOOL,   AT(status_file),     0, 0,          "true",   "Status.txt or Stand.txt in the folder says what waits, and why", NULL },
	{ "log_names",      KEY_SWITCH, AT(log_names_plain), 0, 0,          "hashed", "how file names stand in the evidence log: \"hashed\" (salted) or \"plain\"", log_names },
	{ 0 },
};
#undef AT

#define AT(f) offsetof(struct conf_rule, f)
static const struct conf_key when_keys[] = {
	{ "any",    KEY_TEXTS,  AT(any),    0, 100, "",    "phrases: at least one is on the pages", NULL },
	{ "all",    KEY_TEXTS,  AT(all),    0, 100, "",    "phrases: every one is on the pages", NULL },
	{ "none",   KEY_TEXTS,  AT(none),   0, 100, "",    "phrases: not one of them is on the pages", NULL },
	{ "match",  KEY_OWN,    AT(match),  0, 0,   "",    "regular expression (POSIX extended) that fits in a line of the pages", &own_ere },
	{ "barcode", KEY_OWN,   AT(barcode), 0, 0,  "",    "regular expression (POSIX extended) that fits the text of a barcode on the pages", &own_ere },
	{ "barcode_kind", KEY_TEXTS, AT(barcode_kind), 0, 16, "", "what kind of code: \"qr\", \"code128\", \"code39\", \"code93\", \"ean13\", \"ean8\" or \"patch\"; default: any", NULL },
	{ "file",   KEY_TEXTS,  AT(file),   0, 100, "",    "patterns with * and ?: the document's name fits one of them, capitals or not", NULL },
	{ "folder", KEY_TEXTS,  AT(folder), 0, 100, "",    "names of folders: the rule is for these only, of those that use it", NULL },
	{ "count",  KEY_OWN,    0,          0, 0,   "",    "how many pages the document has: \"1\", \"2-5\" or \"3-\" for three and more", &own_count },
	{ "ticket", KEY_TEXTS,  AT(ticket), 0, 16,  "",    "\"field=value\": the ticket has every one of these fields", NULL },
	{ "signed_by", KEY_OWN, AT(signed_by), 0, 0, "",   "regular expression (POSIX extended) that fits in the subject of a valid signature that came with the document", &own_ere },
	{ "typos",  KEY_NUMBER, AT(typos),  0, 3,   "0",   "characters a word may be misread by; one for each four letters at most", NULL },
	{ "pages",  KEY_PAGES,  AT(pages),  0, 0,   "all", "where to look: \"1\", \"last\", \"2-3\" or \"all\"", NULL },
	{ 0 },
};
static const struct key_group when = { when_keys, NOWHERE, "always", AT(always) };

static const struct conf_key place_keys[] = {
	{ "near",      KEY_TEXT,   AT(place.near),     0, 200,  "",     "the phrase beside which the seal goes", NULL },
	{ "barcode",   KEY_OWN,    AT(place.barcode),  0, 0,    "",     "instead of near: regular expression (POSIX extended) of the text of a barcode beside which the seal goes", &own_ere },
	{ "field",     KEY_TEXT,   AT(place.field),    0, 200,  "",     "instead of near: name of an empty signature field of the PDF, which is filled", NULL },
	{ "typos",     KEY_NUMBER, AT(place.typos),    0, 3,    "0",    "characters a word of it may be misread by; one for each four letters at most", NULL },
	{ "nth",       KEY_OWN,    AT(place),          0, 0,    "only", "which of several: \"first\", \"last\", a number, or \"only\": more than one is held", &own_nth },
	{ "pages",     KEY_PAGES,  AT(place.pages),    0, 0,    "all",  "where to look: \"1\", \"last\", \"2-3\" or \"all\"; at and corners use the last of them", NULL },
	{ "side",      KEY_WORD,   AT(place.side),     SIDE_RIGHT, 0, "right", "\"right\", \"left\", \"above\" or \"below\" of the phrase, touching it; \"over\" it only with ink = \"ignore\"", sides },
	{ "align",     KEY_WORD,   AT(place.align),    ALONG_AUTO, 0, "auto", "along that side: \"start\" (left or top edges level), \"middle\" or \"end\"; \"auto\": middle beside the phrase, start above and below", alongs },
	{ "shift",     KEY_PAIR,   AT(place.shift_x),  -500, 500, "0mm|0mm", "moves the seal from there, or from its corner: to the right, down", NULL },
	{ "size",      KEY_PAIR,   AT(place.width),    0, 500,  "",     "width and height of the seal", NULL },
	{ "at",        KEY_OWN,    AT(place),          0, 0,    "",     "instead of near: \"top-left\", \"top-right\", \"bottom-left\", \"bottom-right\"", &own_at },
	{ "margin",    KEY_PAIR,   AT(place.margin_x), 0, 500,  "10mm|10mm", "distance from the page's edges for at and corners", NULL },
	{ "ink",       KEY_SWITCH, AT(place.ignore_ink), 0, 0,  "avoid", "what is written, printed or drawn there: \"avoid\" moves the seal to a free place near by, \"ignore\" covers it", inks },
	{ "reach",     KEY_LENGTH, AT(place.reach),    0, 100,  "15mm", "how far the seal may move for that", NULL },
	{ "marks",     KEY_OWN,    AT(place.marks),    0, 0,    "none", "other pages that show the seal, too, under the one signature: \"1\", \"last\", \"2-3\", \"all\" or \"none\"", &own_marks },
	{ "otherwise", KEY_OWN,    AT(place),          0, 0,    "hold", "when there is no such place: \"hold\", \"invisible\", \"free-space\" anywhere on the page, \"corner\" (bottom right) or one by name, as \"corner:top-left\"", &own_else },
	{ 0 },
};
static const struct key_group place = { place_keys, AT(place.given), "invisible", AT(place.invisible) };

static const struct conf_key hold_keys[] = {
	{ "de", KEY_TEXT, AT(hold_de), 0, 300, "", "the reason, in German", NULL },
	{ "en", KEY_TEXT, AT(hold_en), 0, 300, "", "the reason, in English", NULL },
	{ 0 },
};
static const struct key_group hold = { hold_keys, AT(hold), NULL, 0 };

#define FIND(f) offsetof(struct conf_find, f)
static const struct conf_key find_keys[] = {
	{ "after",    KEY_TEXTS, FIND(after),    0, 20, "",     N_("phrases the value stands behind, or below; the first that has a value counts"), NULL },
	{ "type",     KEY_WORD,  FIND(type),     FIND_TEXT, 0, "text", "\"text\" as it stands there, or a \"number\", \"date\" or \"amount\" in one spelling", types },
	{ "take",     KEY_OWN,   FIND(take),     0, 0,  "",     "regular expression (POSIX extended) of the value; with a group, the group; default: what the type is written like", &own_ere },
	{ "barcode",  KEY_OWN,   FIND(barcode),  0, 0,  "",     "instead of after and take: regular expression (POSIX extended) that fits the text of a barcode; with a group, the group is the value", &own_ere },
	{ "required", KEY_BOOL,  FIND(required), 0, 0,  "true", "without the value the document is held", NULL },
	{ 0 },
};
static const struct key_named finds = { find_keys, sizeof(struct conf_find), AT(nfinds), MSG_VALUES_MAX };

static const struct conf_key rule_keys[] = {
	{ "when",  KEY_GROUP, 0,               0, 0,   "", "what must be on the pages, or \"always\"", &when },
	{ "find",  KEY_NAMED, AT(finds),       0, 0,   "", "values to take from the text", &finds },
	{ "place", KEY_GROUP, 0,               0, 0,   "", "where the seal goes, or \"invisible\"", &place },
	{ "seal",  KEY_TEXT,  AT(seal_name),   0, 63,  "", "name of the seal", NULL },
	{ "name",  KEY_TEXT,  AT(result_name), 0, 200, "", "name of the result, with {variables}; default: NAME.pdf", NULL },
	{ "hold",  KEY_GROUP, 0,               0, 0,   "", "instead of a seal: a person decides, for this reason", &hold },
	{ 0 },
};
#undef AT

#define AT(f) offsetof(struct conf_seal, f)
static const struct conf_key look_keys[] = {
	{ "lines",  KEY_TEXTS, AT(look.lines),  0, MSG_LINES_MAX, "{org}|{time:%d.%m.%Y %H:%M}|{id}", "lines of text in the seal, with {variables}", NULL },
	{ "align",  KEY_WORD,  AT(look.align),  ALIGN_LEFT, 0,    "left",                             "where the lines stand: \"left\", \"center\" or \"right\"", aligns },
	{ "image",  KEY_PATH,  AT(look.image),  0, 4095,          "",                                 "a picture in the seal: PNG, with transparency or without, or JPEG", NULL },
	{ "qr",     KEY_TEXT,  AT(look.qr),     0, 300,           "",                                 "text of a QR code in the seal, with {variables}", NULL },
	{ "font",   KEY_PATH,  AT(look.font),   0, 4095,          "",                                 "TrueType font of the lines; default: DejaVu Sans", NULL },
	{ "color",  KEY_OWN,   AT(look.color),  0, 0,             "#1a366b",                          "colour of lines, border and code: \"#RRGGBB\"", &own_color },
	{ "border", KEY_BOOL,  AT(look.border), 0, 0,             "true",                             "a border round it", NULL },
	{ 0 },
};
static const struct key_group look = { look_keys, NOWHERE, NULL, 0 };

static const struct conf_key seal_keys[] = {
	{ "tokens",   KEY_TEXTS, AT(token_names), 1, 16,  NULL,  N_("names of tokens, used side by side"), NULL },
	{ "level",    KEY_WORD,  AT(level),       LEVEL_B_B, 0, "B-T", "PAdES baseline level: \"B-B\", or \"B-T\" with a time-stamp", levels },
	{ "tsa",      KEY_TEXT,  AT(tsa_name),    0, 63,  "",    "name of the time-stamping authority, for B-T", NULL },
	{ "reason",   KEY_TEXT,  AT(reason),      0, 200, "",    "reason that PDF viewers show", NULL },
	{ "location", KEY_TEXT,  AT(location),    0, 200, "",    "place that PDF viewers show", NULL },
	{ "look",     KEY_GROUP, 0,               0, 0,   "",    "what the seal shows", &look },
	{ 0 },
};
#undef AT

#define AT(f) offsetof(struct conf_token, f)
static const struct conf_key token_keys[] = {
	{ "module",        KEY_PATH, AT(module),        1, 4095, NULL,    N_("the PKCS#11 module"), NULL },
	{ "module_sha256", KEY_TEXT, AT(module_sha256), 0, 64,   "",      "SHA-256 of the module's file; another one is not loaded", NULL },
	{ "serial",        KEY_TEXT, AT(serial),        0, 16,   "",      "serial number of the token", NULL },
	{ "label",         KEY_TEXT, AT(label),         0, 32,   "",      "label of the token", NULL },
	{ "key_id",        KEY_TEXT, AT(key_id),        0, 64,   "",      "CKA_ID of the key, hexadecimal", NULL },
	{ "key_label",     KEY_TEXT, AT(key_label),     0, 200,  "",      "CKA_LABEL of the key", NULL },
	{ "cert",          KEY_PATH, AT(cert),          0, 4095, "",      "file with the certificate, PEM or DER; default: from the token", NULL },
	{ "chain",         KEY_PATH, AT(chain),         0, 4095, "",      "PEM file with the issuing certificates", NULL },
	{ "pin",           KEY_OWN,  AT(pin),           0, 0,    NULL,    N_("where the PIN is: \"credential:NAME\", \"file:PATH\", or \"login\": a person gives it"), &own_pin },
	{ "unsafe_legacy", KEY_BOOL, AT(unsafe_legacy), 0, 0,    "false", "also use an RSA key of 2048 to 2999 bits", NULL },
	{ 0 },
};
#undef AT

#define AT(f) offsetof(struct conf_tsa, f)
static const struct conf_key tsa_keys[] = {
	{ "url",     KEY_TEXTS, AT(url),        1, 8,          NULL,   N_("addresses (RFC 3161 over HTTP), tried in turn"), NULL },
	{ "trust",   KEY_PATH,  AT(trust),      1, 4095,       NULL,   N_("PEM file: roots for its certificates"), NULL },
	{ "policy",  KEY_TEXT,  AT(policy),     0, 63,         "",     "policy that its answers must name (OID)", NULL },
	{ "timeout", KEY_TIME,  AT(timeout_ms), 100, S(300),   "10s",  "for one request", NULL },
	{ "skew",    KEY_TIME,  AT(skew_ms),    S(1), H(24),   "5min", "how far its time may be from our clock", NULL },
	{ 0 },
};
#undef AT

#define AT(f) offsetof(struct conf, f)
static const struct conf_key scan_keys[] = {
	{ "languages",   KEY_TEXTS,    AT(scan.languages),   1, 8,                        "deu|eng", "languages of the documents, as Tesseract names them", NULL },
	{ "workers",     KEY_NUMBER,   AT(scan.workers),     0, 256,                      "0",       "pages read at once; 0: as many as cores", NULL },
	{ "max_pages",   KEY_NUMBER,   AT(scan.max_pages),   1, 100000,                   "5000",    "pages of one document", NULL },
	{ "max_pixels",  KEY_NUMBER64, AT(scan.max_pixels),  10000, 2000000000,           "150000000", "pixels of one page", NULL },
	{ "max_bytes",   KEY_SIZE,     AT(scan.max_bytes),   1 * KiB, 1024 * GiB,         "2GiB",    "bytes of one document", NULL },
	{ "page_time",   KEY_TIME,     AT(scan.page_ms),     S(1), H(1),                  "2min",    "for reading one page", NULL },
	{ "unread",      KEY_WORD,     AT(scan.unread),      UNREAD_REFUSE, 0,            "refuse",  "a page that is not read in page_time, nor in twice that: \"refuse\" the document, or \"keep\" the page, without its text", unread },
	{ "page_memory", KEY_SIZE,     AT(scan.page_memory), 256 * MiB, 64 * GiB,         "1536MiB", "address space for reading one page", NULL },
	{ "jbig2_symbols", KEY_WORD,   AT(scan.jbig2_symbols), JBIG2_SYMBOLS_REFUSE, 0,   "refuse",  "PDF images coded as JBIG2 with symbols: \"refuse\" or \"allow\"", symbols },
	{ "blank",       KEY_WORD,     AT(scan.blank),       BLANK_KEEP, 0,               "mark",    "blank pages: \"keep\" them, \"mark\" them on record, too, or \"drop\" them from the result", blanks },
	{ "min_dpi",     KEY_NUMBER,   AT(scan.min_dpi),     0, 1200,                     "0",       "dots per inch below which a page is held; 0: none", NULL },
	{ "max_skew",    KEY_NUMBER,   AT(scan.max_skew),    0, 10,                       "0",       "degrees by which a page may be askew, else it is held; 0: any", NULL },
	{ "min_confidence", KEY_NUMBER, AT(scan.min_confidence), 0, 100,                  "0",       "mean confidence of a page's words below which it is held; 0: none", NULL },
	{ "no_resolution", KEY_WORD,   AT(scan.no_resolution), RESOLUTION_ESTIMATE, 0,    "estimate", "a page that does not say how large it is: \"estimate\" or \"hold\"", no_resolution },
	{ "signed",      KEY_WORD,     AT(scan.came_signed), SIGNED_SEAL, 0,              "append",  "PDFs that come signed: \"append\" the seal, as far as their signatures allow, or \"hold\" them all", came_signed },
	{ "signed_broken", KEY_WORD,   AT(scan.signed_broken), SIGNED_SEAL, 0,            "hold",    "one whose signature is broken, or that was changed after the last: \"hold\" or \"append\"", came_signed },
	{ "signed_place", KEY_WORD,    AT(scan.signed_place), SIGNED_SEAL, 0,             "invisible", "where a signature allows nothing new on the pages: an \"invisible\" seal, or \"hold\"", signed_place },
	{ "signed_trust", KEY_PATH,    AT(scan.signed_trust), 0, 4095,                    "",        "PEM file: roots for signatures that come with documents, beside those of trust", NULL },
	{ 0 },
};
static const struct conf_key archive_keys[] = {
	{ "path", KEY_PATH, AT(archive.path), 1, 4095, NULL, N_("documents, log and records: one tree to copy"), NULL },
	{ 0 },
};
static const struct conf_key evidence_keys[] = {
	{ "origin", KEY_TEXT, AT(evidence.origin), 1, 200,  NULL, N_("name of the log, a URL without scheme: \"seal.example.org/post\""), NULL },
	{ "anchor", KEY_PATH, AT(evidence.anchor), 0, 4095, "",   "directory of the last signed head, best on another disk; default: anchor in state", NULL },
	{ "key",    KEY_PATH, AT(evidence.key),    0, 4095, "",   "the log's key, made at first start; default: evidence.key in state", NULL },
	{ "tsa",    KEY_TEXT, AT(evidence.tsa),    0, 63,   "",   "name of the time-stamping authority for evidence records; default: none are made", NULL },
	{ "batch",  KEY_TIME, AT(evidence.batch_ms), 500, H(24 * 30), "24h", "one time stamp over all documents and the log, once in this time", NULL },
	{ "renew_before", KEY_TIME, AT(evidence.renew_before_ms), 0, H(24 * 3650), "180d", "how long before its certificate ends a time stamp is to be renewed", NULL },
	{ 0 },
};
static const struct conf_key peers_keys[] = {
	{ "start",      KEY_SWITCH, AT(peers.connect),    0, 0,   "spawn", "who starts sealroom-seal and sealroom-fetch: \"spawn\": sealroomd, as its own user; \"connect\": their units", starts },
	{ "socket",     KEY_PATH,   AT(peers.socket),     1, 100, "/run/sealroom/peers.sock", "where they come to, for \"connect\"", NULL },
	{ "seal_user",  KEY_TEXT,   AT(peers.seal_user),  1, 63,  "sealroom-seal",  "user of sealroom-seal@TOKEN.service, a name or a number", NULL },
	{ "log_user",   KEY_TEXT,   AT(peers.log_user),   1, 63,  "sealroom-log",   "user of sealroom-seal@log.service, which holds the log's key", NULL },
	{ "fetch_user", KEY_TEXT,   AT(peers.fetch_user), 1, 63,  "sealroom-fetch", "user of sealroom-fetch.service", NULL },
	{ 0 },
};
static const struct conf_key alarm_keys[] = {
	{ "certificate", KEY_TIME, AT(alarms.certificate_ms), 0, H(24 * 3650), "30d",  "when a seal's certificate is valid no longer than this", NULL },
	{ "held",        KEY_TIME, AT(alarms.held_ms),        0, H(24 * 3650), "3d",   "when a document has waited for a decision this long", NULL },
	{ "space",       KEY_SIZE, AT(alarms.space),          0, 1024 * GiB,   "1GiB", "when less is free for spool or archive", NULL },
	{ "renewal",     KEY_TIME, AT(alarms.renewal_ms),     0, H(24 * 3650), "2d",   "when evidence records should have been renewed this long ago", NULL },
	{ 0 },
};
static const struct key_group
	peers    = { peers_keys, NOWHERE, NULL, 0 },
	alarms   = { alarm_keys, NOWHERE, NULL, 0 },
	scan     = { scan_keys, NOWHERE, NULL, 0 },
	archive  = { archive_keys, NOWHERE, NULL, 0 },
	evidence = { evidence_keys, NOWHERE, NULL, 0 };
static const struct key_named
	folders = { folder_keys, sizeof(struct conf_folder), AT(nfolders), 1000 },
	rules   = { rule_keys, sizeof(struct conf_rule), AT(nrules), 1000 },
	seals   = { seal_keys, sizeof(struct conf_seal), AT(nseals), 100 },
	tokens  = { token_keys, sizeof(struct conf_token), AT(ntokens), 100 },
	tsas    = { tsa_keys, sizeof(struct conf_tsa), AT(ntsas), 20 };

const struct conf_key conf_keys[] = {
	{ "language",     KEY_CHOICE, AT(language),        0, 0,                "en",    "what operators read: \"de\" or \"en\"", languages },
	{ "folders",      KEY_NAMED,  AT(folders),         0, 0,                "",      "hot folders", &folders },
	{ "scan",         KEY_GROUP,  0,                   0, 0,                "",      "reading documents", &scan },
	{ "rules",        KEY_NAMED,  AT(rules),           0, 0,                "",      "what is sealed, where and how", &rules },
	{ "seals",        KEY_NAMED,  AT(seals),           0, 0,                "",      "kinds of seal", &seals },
	{ "tokens",       KEY_NAMED,  AT(tokens),          0, 0,                "",      "PKCS#11 tokens", &tokens },
	{ "tsa",          KEY_NAMED,  AT(tsas),            0, 0,                "",      "time-stamping authorities", &tsas },
	{ "trust",        KEY_PATH,   AT(trust),           1, 4095,             NULL,    N_("PEM file: roots that our own check of a seal accepts"), NULL },
	{ "archive",      KEY_GROUP,  0,                   0, 0,                "",      "sealed documents and evidence", &archive },
	{ "evidence",     KEY_GROUP,  0,                   0, 0,                "",      "the evidence log", &evidence },
	{ "state",        KEY_PATH,   AT(state),           1, 4095,             "/var/lib/sealroom", "unfinished jobs and marks", NULL },
	{ "control",      KEY_PATH,   AT(control),         1, 100,              "/run/sealroom/control.sock", "socket of the command", NULL },
	{ "operators",    KEY_TEXTS,  AT(operators),       0, 100,              "",      "users and @groups who may change things through it; default: all of its group", NULL },
	{ "host",         KEY_TEXT,   AT(host),            0, 40,               "",      "name of this host among those that share a folder with claim = \"rename\"", NULL },
	{ "peers",        KEY_GROUP,  0,                   0, 0,                "",      "which user holds the keys, and which has the network", &peers },
	{ "metrics",      KEY_PATH,   AT(metrics),         0, 4095,             "",      "text file for Prometheus, replaced every few seconds; default: none", NULL },
	{ "alarms",       KEY_GROUP,  0,                   0, 0,                "",      "when an alarm is raised", &alarms },
	{ "max_jobs",     KEY_NUMBER, AT(max_jobs),        1, 1000,             "32",    "unfinished jobs at once", NULL },
	{ "space_floor",  KEY_SIZE,   AT(space_floor),     0, 1024 * GiB,       "256MiB", "nothing is claimed with less free space than this", NULL },
	{ "quarantine_keep", KEY_TIME, AT(quarantine_keep_ms), H(24), H(24 * 3650), "",  "our own copies of refused and withdrawn documents are removed after this time; default: never", NULL },
	{ "tsa_max_wait", KEY_TIME,   AT(tsa_max_wait_ms), S(1), H(24 * 30),    "30min", "an alarm when a time-stamp is missing for longer", NULL },
	{ 0 },
};
#undef AT
/* clang-format on */

/* The reader counts on these. */
_Static_assert(offsetof(struct conf_place, shift_y) == offsetof(struct conf_place, shift_x) + 4, "x, y");
_Static_assert(offsetof(struct conf_place, height) == offsetof(struct conf_place, width) + 4, "x, y");
_Static_assert(offsetof(struct conf_place, margin_y) == offsetof(struct conf_place, margin_x) + 4, "x, y");
#define STARTS_NAMED(t) \
	_Static_assert(offsetof(struct t, name) == offsetof(struct conf_named, name) && \
	    offsetof(struct t, where) == offsetof(struct conf_named, where), "starts as conf_named")
STARTS_NAMED(conf_folder);
STARTS_NAMED(conf_rule);
STARTS_NAMED(conf_seal);
STARTS_NAMED(conf_token);
STARTS_NAMED(conf_tsa);
STARTS_NAMED(conf_find);

/* --- walking it ------------------------------------------------------------------------- */

static void
walk(const struct conf_key *k, const char *prefix, keys_visit *visit, void *ctx)
{
	char path[200];

	for (; k->name != NULL; k++) {
		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix == '\0' ? "" : ".", k->name);
		visit(ctx, path, k);
		if (k->type == KEY_GROUP) {
			walk(((const struct key_group *)k->more)->keys, path, visit, ctx);
		} else if (k->type == KEY_NAMED) {
			snprintf(path + strlen(path), sizeof(path) - strlen(path), ".NAME");
			walk(((const struct key_named *)k->more)->keys, path, visit, ctx);
		}
	}
}

void
keys_walk(keys_visit *visit, void *ctx)
{
	walk(conf_keys, "", visit, ctx);
}

const char *
keys_near(const struct conf_key *k, const char *name)
{
	struct near n = near_start(name);

	for (; k->name != NULL; k++)
		near_try(&n, k->name);
	return n.best;
}
