#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/note.h"

#define MAGIC "sealroom-entry/v1\n"
#define NAME_PLAIN_MAX 384 /* escaped; longer names are hashed, or the entry might not fit */
#define TIME_NONE INT64_MIN
#define TIME_MIN INT64_C(-2208988800000000) /* 1900 */
#define TIME_MAX INT64_C(253402300799999999) /* 9999 */

static const char *const type_words[ENTRY_TYPE_COUNT] = {
	[ENTRY_NONE] = "",
#define X(name, word) [ENTRY_##name] = word,
	ENTRY_TYPES(X)
#undef X
};

const char *
entry_type_word(enum entry_type type)
{
	return (unsigned)type < ENTRY_TYPE_COUNT ? type_words[type] : "";
}

enum entry_type
entry_type_by_word(const char *word)
{
	for (int i = 1; i < ENTRY_TYPE_COUNT; i++)
		if (strcmp(type_words[i], word) == 0)
			return (enum entry_type)i;
	return ENTRY_NONE;
}

/* --- atoms: how one value is written and read ---------------------------------------- */

static bool
hash_none(const uint8_t h[HASH_LEN])
{
	static const uint8_t none[HASH_LEN];

	return memcmp(h, none, HASH_LEN) == 0;
}

/* Printable ASCII but '%'; blanks only where the value is the rest of its line. */
static void
put_escaped(struct buf *b, const char *s, bool blanks)
{
	if (*s == '\0')
		buf_put(b, "-", 1);
	if (strcmp(s, "-") == 0) {
		buf_printf(b, "%%2D");
		return;
	}
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c > 0x20 && c < 0x7f && c != '%') || (c == ' ' && blanks))
			buf_put_u8(b, c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes put_escaped(); whether it was its own text is seen when it is written again. */
static int
get_escaped(const char *v, char *dst, size_t size)
{
	size_t n = 0;

	if (strcmp(v, "-") == 0)
		v = "";
	for (; *v != '\0'; v++) {
		int c = (unsigned char)*v;

		if (c == '%') {
			int hi = hex_digit(v[1]), lo = hi < 0 ? -1 : hex_digit(v[2]);

			if (lo < 0)
				return -1;
			c = hi << 4 | lo;
			v += 2;
		}
		if (c == 0 || n + 1 >= size)
			return -1;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return 0;
}

static void
put_hash(struct buf *b, const uint8_t h[HASH_LEN])
{
	char hex[HASH_HEX];

	if (hash_none(h)) {
		buf_put(b, "-", 1);
		return;
	}
	hash_hex(h, hex);
	buf_printf(b, "sha256:%s", hex);
}

static int
get_hash(const char *v, uint8_t ret[HASH_LEN])
{
	if (strcmp(v, "-") == 0) {
		memset(ret, 0, HASH_LEN);
		return 0;
	}
	return strncmp(v, "sha256:", 7) == 0 ? hash_from_hex(v + 7, ret) : -1;
}

static void
put_time(struct buf *b, int64_t us)
{
	char iso[CLOCK_ISO_MAX];

	if (us < TIME_MIN || us > TIME_MAX) {
		buf_put(b, "-", 1);
		return;
	}
	clock_iso_us(us, iso);
	buf_printf(b, "%s", iso);
}

static int
get_time(const char *v, int64_t *ret)
{
	*ret = TIME_NONE;
	return strcmp(v, "-") == 0 ? 0 : clock_parse_iso(v, ret);
}

static void
put_name(struct buf *b, const struct entry_name *n)
{
	switch (n->kind) {
	case ENTRY_NAME_PLAIN:
		buf_printf(b, "name:");
		put_escaped(b, n->text, false);
		return;
	case ENTRY_NAME_HASHED:
		put_hash(b, n->hash);
		return;
	case ENTRY_NAME_NONE:
		buf_put(b, "-", 1);
	}
}

static int
get_name(const char *v, struct entry_name *ret)
{
	if (strncmp(v, "name:", 5) == 0) {
		ret->kind = ENTRY_NAME_PLAIN;
		return get_escaped(v + 5, ret->text, sizeof(ret->text));
	}
	ret->kind = strcmp(v, "-") == 0 ? ENTRY_NAME_NONE : ENTRY_NAME_HASHED;
	return get_hash(v, ret->hash);
}

static int
get_u64(const char *v, uint64_t *ret)
{
	return note_decimal(v, strlen(v), ret);
}

static int
get_u32(const char *v, uint32_t *ret)
{
	uint64_t n;

	if (get_u64(v, &n) < 0 || n > UINT32_MAX)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

/* Cuts the next word off *v; NULL when there is none. */
static char *
word(char **v)
{
	char *w = *v;

	if (w == NULL || *w == '\0')
		return NULL;
	*v = strchr(w, ' ');
	if (*v != NULL)
		*(*v)++ = '\0';
	return w;
}

/* The next word without its label ("mtime:"). */
static char *
labelled(char **v, const char *label)
{
	char *w = word(v);
	size_t n = strlen(label);

	return w != NULL && strncmp(w, label, n) == 0 ? w + n : NULL;
}

/* --- lines: one function to write a key's value, one to read it ----------------------- */

static void
put_id_line(struct buf *b, const void *field)
{
	buf_printf(b, "%s", *(const char *)field == '\0' ? "-" : (const char *)field);
}

static int
get_id_line(char *v, void *field)
{
	if (!id_valid(v))
		return -1;
	memcpy(field, v, ID_MAX);
	return 0;
}

static void
put_word_line(struct buf *b, const void *field)
{
	put_escaped(b, field, false);
}

static int
get_word64(char *v, void *field)
{
	return get_escaped(v, field, 64);
}

static int
get_word32(char *v, void *field)
{
	return get_escaped(v, field, 32);
}

static int
get_word40(char *v, void *field)
{
	return get_escaped(v, field, 40);
}

static void
put_text_line(struct buf *b, const void *field)
{
	put_escaped(b, field, true);
}

static int
get_text512(char *v, void *field)
{
	return get_escaped(v, field, 512);
}

static void
put_u32_line(struct buf *b, const void *field)
{
	buf_printf(b, "%u", *(const uint32_t *)field);
}

static int
get_u32_line(char *v, void *field)
{
	return get_u32(v, field);
}

static void
put_hash_line(struct buf *b, const void *field)
{
	put_hash(b, field);
}

static int
get_hash_line(char *v, void *field)
{
	return get_hash(v, field);
}

static void
put_rule(struct buf *b, const void *field)
{
	const struct entry *x = field;

	put_escaped(b, x->rule, false);
	if (x->rule[0] != '\0') {
		buf_printf(b, "@");
		put_hash(b, x->rule_hash);
	}
}

static int
get_rule(char *v, void *field)
{
	struct entry *x = field;
	char *at = strrchr(v, '@');

	if (at == NULL)
		return strcmp(v, "-") == 0 ? 0 : -1;
	*at = '\0';
	return get_escaped(v, x->rule, sizeof(x->rule)) < 0 ? -1 : get_hash(at + 1, x->rule_hash);
}

static void
put_source(struct buf *b, const void *field)
{
	const struct entry *x = field;

	if (!x->has_source) {
		buf_put(b, "-", 1);
		return;
	}
	put_name(b, &x->source);
	buf_printf(b, " %llu ", (unsigned long long)x->source_size);
	put_hash(b, x->source_hash);
	buf_printf(b, " mtime:");
	put_time(b, x->source_mtime_us);
	buf_printf(b, " owner:%u", x->source_owner);
}

static int
get_source(char *v, void *field)
{
	struct entry *x = field;
	char *w[5];

	if (strcmp(v, "-") == 0)
		return 0;
	x->has_source = true;
	w[0] = word(&v);
	w[1] = word(&v);
	w[2] = word(&v);
	w[3] = labelled(&v, "mtime:");
	w[4] = labelled(&v, "owner:");
	if (w[0] == NULL || w[1] == NULL || w[2] == NULL || w[3] == NULL || w[4] == NULL)
		return -1;
	return get_name(w[0], &x->source) < 0 || get_u64(w[1], &x->source_size) < 0 ||
	            get_hash(w[2], x->source_hash) < 0 || get_time(w[3], &x->source_mtime_us) < 0 ||
	            get_u32(w[4], &x->source_owner) < 0 ?
	    -1 :
	    0;
}

static void
put_sealed(struct buf *b, const void *field)
{
	const struct entry *x = field;

	if (!x->has_sealed) {
		buf_put(b, "-", 1);
		return;
	}
	put_name(b, &x->sealed);
	buf_printf(b, " %llu ", (unsigned long long)x->sealed_size);
	put_hash(b, x->sealed_hash);
	buf_printf(b, " level:%s pdfa:", level_name(x->level));
	put_escaped(b, x->pdfa, false);
}

static int
get_sealed(char *v, void *field)
{
	struct entry *x = field;
	char *w[5];

	if (strcmp(v, "-") == 0)
		return 0;
	x->has_sealed = true;
	w[0] = word(&v);
	w[1] = word(&v);
	w[2] = word(&v);
	w[3] = labelled(&v, "level:");
	w[4] = labelled(&v, "pdfa:");
	if (w[0] == NULL || w[1] == NULL || w[2] == NULL || w[3] == NULL || w[4] == NULL)
		return -1;
	x->level = level_by_name(w[3]);
	return get_name(w[0], &x->sealed) < 0 || get_u64(w[1], &x->sealed_size) < 0 ||
	            get_hash(w[2], x->sealed_hash) < 0 || get_escaped(w[4], x->pdfa, sizeof(x->pdfa)) < 0 ?
	    -1 :
	    0;
}

/* 0 in a struct entry is "not yet": no document was received in 1970. */
static void
put_times(struct buf *b, const void *field)
{
	const struct entry *x = field;
	const struct {
		const char *label;
		int64_t us;
	} t[] = { { "received:", x->received_us }, { " ocr:", x->ocr_us }, { " sealed:", x->sealed_us },
		{ " archived:", x->archived_us } };

	for (size_t i = 0; i < 4; i++) {
		buf_printf(b, "%s", t[i].label);
		put_time(b, t[i].us == 0 ? TIME_NONE : t[i].us);
	}
}

static int
get_times(char *v, void *field)
{
	struct entry *x = field;
	static const char *const label[] = { "received:", "ocr:", "sealed:", "archived:" };
	int64_t *us[] = { &x->received_us, &x->ocr_us, &x->sealed_us, &x->archived_us };
	char *w;

	for (size_t i = 0; i < 4; i++) {
		if ((w = labelled(&v, label[i])) == NULL || get_time(w, us[i]) < 0)
			return -1;
		if (*us[i] == TIME_NONE)
			*us[i] = 0;
	}
	return 0;
}

static void
put_ocr(struct buf *b, const void *field)
{
	const struct entry *x = field;

	put_escaped(b, x->ocr, true);
	buf_printf(b, " ");
	put_hash(b, x->ocr_hash);
}

static int
get_ocr(char *v, void *field)
{
	struct entry *x = field;
	char *last = strrchr(v, ' ');

	if (last == NULL)
		return -1;
	*last = '\0';
	return get_escaped(v, x->ocr, sizeof(x->ocr)) < 0 ? -1 : get_hash(last + 1, x->ocr_hash);
}

/* Pages by number, as page_set_text() writes them; or so many that they stand in job.json only. */
static bool
is_pages(const char *list, size_t most)
{
	return list != NULL && list[0] != '\0' && strlen(list) < most &&
	    (list[strspn(list, "0123456789,-/")] == '\0' || strcmp(list, "many") == 0);
}

/* "3", or with what was blank or not read: "3 blank 2", "2 dropped 2 unread 1,3"; the pages of the source. */
static void
put_pages(struct buf *b, const void *field)
{
	const struct entry *x = field;

	buf_printf(b, "%u", x->pages);
	if (x->blank[0] != '\0')
		buf_printf(b, " %s %s", x->blank_dropped ? "dropped" : "blank", x->blank);
	if (x->unread[0] != '\0')
		buf_printf(b, " unread %s", x->unread);
}

static int
get_pages(char *v, void *field)
{
	struct entry *x = field;
	char *n = word(&v), *how, *list;

	if (n == NULL || get_u32(n, &x->pages) < 0)
		return -1;
	if ((how = word(&v)) != NULL && strcmp(how, "unread") != 0) {
		x->blank_dropped = strcmp(how, "dropped") == 0;
		list = word(&v);
		if ((!x->blank_dropped && strcmp(how, "blank") != 0) || !is_pages(list, sizeof(x->blank)))
			return -1;
		memcpy(x->blank, list, strlen(list) + 1);
		how = word(&v);
	}
	if (how == NULL)
		return 0;
	list = word(&v);
	if (strcmp(how, "unread") != 0 || !is_pages(list, sizeof(x->unread)) || v != NULL)
		return -1;
	memcpy(x->unread, list, strlen(list) + 1);
	return 0;
}

static void
put_disk(struct buf *b, const void *field)
{
	const struct entry *x = field;

	buf_printf(b, "%llu ", (unsigned long long)x->disk_size);
	put_hash(b, x->disk_root);
}

static int
get_disk(char *v, void *field)
{
	struct entry *x = field;
	char *size = word(&v), *root = word(&v);

	return size == NULL || root == NULL || get_u64(size, &x->disk_size) < 0 || get_hash(root, x->disk_root) < 0 ? -1 :
	                                                                                                              0;
}

static void
put_anchor(struct buf *b, const void *field)
{
	const struct entry *x = field;

	if (!x->has_anchor) {
		buf_put(b, "-", 1);
		return;
	}
	buf_printf(b, "%llu ", (unsigned long long)x->anchor_size);
	put_hash(b, x->anchor_root);
}

static int
get_anchor(char *v, void *field)
{
	struct entry *x = field;
	char *size, *root;

	if (strcmp(v, "-") == 0)
		return 0;
	x->has_anchor = true;
	size = word(&v);
	root = word(&v);
	return size == NULL || root == NULL || get_u64(size, &x->anchor_size) < 0 ||
	            get_hash(root, x->anchor_root) < 0 ?
	    -1 :
	    0;
}

static void
put_jobs(struct buf *b, const void *field)
{
	const struct entry *x = field;

	buf_printf(b, "again:%u lost:%u aside:%u", x->again, x->lost, x->aside);
}

static int
get_jobs(char *v, void *field)
{
	struct entry *x = field;
	char *again = labelled(&v, "again:"), *lost = labelled(&v, "lost:"), *aside = labelled(&v, "aside:");

	return again == NULL || lost == NULL || aside == NULL || get_u32(again, &x->again) < 0 ||
	            get_u32(lost, &x->lost) < 0 || get_u32(aside, &x->aside) < 0 ?
	    -1 :
	    0;
}

static void
put_key(struct buf *b, const void *field)
{
	const struct entry *x = field;

	put_escaped(b, x->key_role, false);
	buf_printf(b, " ");
	put_escaped(b, x->key_name, false);
	buf_printf(b, " ");
	put_hash(b, x->key_hash);
}

static int
get_key(char *v, void *field)
{
	struct entry *x = field;
	char *role = word(&v), *name = word(&v), *hash = word(&v);

	return role == NULL || name == NULL || hash == NULL ||
	            get_escaped(role, x->key_role, sizeof(x->key_role)) < 0 ||
	            get_escaped(name, x->key_name, sizeof(x->key_name)) < 0 || get_hash(hash, x->key_hash) < 0 ?
	    -1 :
	    0;
}

static void
put_before(struct buf *b, const void *field)
{
	const struct entry *x = field;

	if (x->has_before)
		buf_printf(b, "%llu", (unsigned long long)x->before);
	else
		buf_put(b, "-", 1);
}

static int
get_before(char *v, void *field)
{
	struct entry *x = field;

	if (strcmp(v, "-") == 0)
		return 0;
	x->has_before = true;
	return get_u64(v, &x->before);
}

static void
put_range(struct buf *b, const void *field)
{
	const struct entry *x = field;

	buf_printf(b, "%llu %llu log:%llu", (unsigned long long)x->range[0], (unsigned long long)x->range[1],
	    (unsigned long long)x->range[2]);
}

static int
get_range(char *v, void *field)
{
	struct entry *x = field;
	char *first = word(&v), *last = word(&v), *size = labelled(&v, "log:");

	return first == NULL || last == NULL || size == NULL || get_u64(first, &x->range[0]) < 0 ||
	            get_u64(last, &x->range[1]) < 0 || get_u64(size, &x->range[2]) < 0 ?
	    -1 :
	    0;
}

static void
put_stamped(struct buf *b, const void *field)
{
	const struct entry *x = field;

	put_escaped(b, x->tsa, false);
	buf_printf(b, " ");
	put_time(b, x->stamped_us);
	buf_printf(b, " until:");
	put_time(b, x->until_us);
}

static int
get_stamped(char *v, void *field)
{
	struct entry *x = field;
	char *tsa = word(&v), *at = word(&v), *until = labelled(&v, "until:");

	return tsa == NULL || at == NULL || until == NULL || get_escaped(tsa, x->tsa, sizeof(x->tsa)) < 0 ||
	            get_time(at, &x->stamped_us) < 0 || get_time(until, &x->until_us) < 0 ?
	    -1 :
	    0;
}

static void
put_operator(struct buf *b, const void *field)
{
	const struct entry *x = field;

	if (!x->has_operator) {
		buf_put(b, "-", 1);
		return;
	}
	buf_printf(b, "%u:", x->operator_uid);
	put_name(b, &x->operator);
}

static int
get_operator(char *v, void *field)
{
	struct entry *x = field;
	char *colon = strchr(v, ':');

	if (colon == NULL)
		return strcmp(v, "-") == 0 ? 0 : -1;
	*colon = '\0';
	x->has_operator = true;
	return get_u32(v, &x->operator_uid) < 0 ? -1 : get_name(colon + 1, &x->operator);
}

static void
put_software(struct buf *b, const void *field)
{
	const struct entry *x = field;

	buf_printf(b, "sealroom/");
	put_escaped(b, x->software, false);
	buf_printf(b, " build:");
	put_escaped(b, x->build, false);
}

static int
get_software(char *v, void *field)
{
	struct entry *x = field;
	char *version = labelled(&v, "sealroom/"), *build = labelled(&v, "build:");

	return version == NULL || build == NULL || get_escaped(version, x->software, sizeof(x->software)) < 0 ||
	            get_escaped(build, x->build, sizeof(x->build)) < 0 ?
	    -1 :
	    0;
}

static void
put_file(struct buf *b, const struct entry_file *f)
{
	buf_printf(b, "file ");
	put_escaped(b, f->name, false);
	buf_printf(b, " %llu ", (unsigned long long)f->size);
	put_hash(b, f->hash);
	buf_put(b, "\n", 1);
}

static int
get_file(char *v, struct entry *x)
{
	char *name = word(&v), *size = word(&v), *hash = word(&v);
	struct entry_file *f = &x->files[x->nfiles];

	if (x->nfiles == ENTRY_FILES_MAX || name == NULL || size == NULL || hash == NULL ||
	    get_escaped(name, f->name, sizeof(f->name)) < 0 || get_u64(size, &f->size) < 0 ||
	    get_hash(hash, f->hash) < 0)
		return -1;
	x->nfiles++;
	return 0;
}

/* --- the format: keys in their order, and in which types they stand -------------------- */

#define T(name) (1u << ENTRY_##name)
#define OF_JOB (T(JOB) | T(REJECT) | T(HOLD) | T(RELEASE) | T(WITHDRAW) | T(REPEAT) | T(DIVIDE) | T(VOID) | T(ORPHAN))
#define WITH_SOURCE (T(JOB) | T(REJECT) | T(HOLD) | T(WITHDRAW) | T(REPEAT) | T(DIVIDE))
#define ALL ((1u << ENTRY_TYPE_COUNT) - 2)
#define FIELD(f) offsetof(struct entry, f)

struct key {
	const char *name;
	unsigned types;
	void (*put)(struct buf *, const void *); /* NULL: "file", any number of lines */
	int (*get)(char *, void *);
	size_t offset; /* 0: the function takes the whole entry */
};

/* clang-format off */
static const struct key keys[] = {
	{ "job",       OF_JOB,                             put_id_line,   get_id_line,   FIELD(job) },
	{ "folder",    OF_JOB,                             put_word_line, get_word64,    FIELD(folder) },
	{ "question",  T(HOLD) | T(RELEASE),               put_u32_line,  get_u32_line,  FIELD(question) },
	{ "rule",      T(JOB),                             put_rule,      get_rule,      0 },
	{ "source",    WITH_SOURCE,                        put_source,    get_source,    0 },
	{ "sealed",    T(JOB),                             put_sealed,    get_sealed,    0 },
	{ "archive",   T(JOB) | T(DIVIDE),                 put_word_line, get_word64,    FIELD(path) },
	{ "file",      T(JOB) | T(DIVIDE) | T(CONFIG) | T(KEY) | T(BREAK) | T(BATCH) | T(RENEWAL), NULL,          NULL,          0 },
	{ "times",     WITH_SOURCE,                        put_times,     get_times,     0 },
	{ "pages",     T(JOB),                             put_pages,     get_pages,     0 },
	{ "ocr",       T(JOB),                             put_ocr,       get_ocr,       0 },
	{ "attempts",  T(JOB) | T(ORPHAN),                 put_u32_line,  get_u32_line,  FIELD(attempts) },
	{ "token",     T(JOB) | T(ORPHAN),                 put_word_line, get_word64,    FIELD(token) },
	{ "seal-cert", T(JOB) | T(ORPHAN),                 put_hash_line, get_hash_line, FIELD(seal_cert) },
	{ "tst",       T(JOB),                             put_hash_line, get_hash_line, FIELD(tst) },
	{ "reason",    T(REJECT) | T(HOLD) | T(STOP),      put_word_line, get_word32,    FIELD(reason) },
	{ "text",      T(REJECT) | T(HOLD) | T(STOP) | T(RELEASE) | T(WITHDRAW) | T(REPEAT) | T(DIVIDE) | T(VOID) | T(NOTE) | T(BREAK), put_text_line, get_text512, FIELD(text) },
	{ "disk",      T(START) | T(BREAK),                put_disk,      get_disk,      0 },
	{ "anchor",    T(START) | T(BREAK),                put_anchor,    get_anchor,    0 },
	{ "jobs",      T(BREAK),                           put_jobs,      get_jobs,      0 },
	{ "boot",      T(START),                           put_word_line, get_word40,    FIELD(boot) },
	{ "config",    T(START) | T(CONFIG),               put_hash_line, get_hash_line, FIELD(config_hash) },
	{ "key",       T(KEY),                             put_key,       get_key,       0 },
	{ "record",    T(BATCH) | T(RENEWAL),              put_u32_line,  get_u32_line,  FIELD(record) },
	{ "before",    T(BATCH) | T(RENEWAL),              put_before,    get_before,    0 },
	{ "entries",   T(BATCH),                           put_range,     get_range,     0 },
	{ "groups",    T(BATCH) | T(RENEWAL),              put_u32_line,  get_u32_line,  FIELD(groups) },
	{ "root",      T(BATCH) | T(RENEWAL),              put_hash_line, get_hash_line, FIELD(root) },
	{ "stamped",   T(BATCH) | T(RENEWAL),              put_stamped,   get_stamped,   0 },
	{ "operator",  T(JOB) | T(REJECT) | T(HOLD) | T(RELEASE) | T(WITHDRAW) | T(REPEAT) | T(DIVIDE) | T(VOID) | T(NOTE) | T(BREAK), put_operator, get_operator, 0 },
	{ "host",      ALL,                                put_word_line, get_word64,    FIELD(host) },
	{ "software",  ALL,                                put_software,  get_software,  0 },
};
/* clang-format on */
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static void
put_head(struct buf *b, const struct entry *x)
{
	buf_printf(b, MAGIC "type %s\nindex %llu\ntime ", entry_type_word(x->type), (unsigned long long)x->index);
	put_time(b, x->time_us);
	buf_printf(b, "\nheads ");
	if (x->nheads == 0)
		buf_put(b, "-", 1);
	for (uint32_t i = 0; i < x->nheads && i < ENTRY_HEADS_MAX; i++)
		buf_printf(b, "%s%llu", i > 0 ? "," : "", (unsigned long long)x->heads[i]);
	buf_put(b, "\n", 1);
}

int
entry_format(const struct entry *x, struct buf *out, struct err *e)
{
	AUTO_BUF b = { 0 };

	if ((unsigned)x->type == ENTRY_NONE || (unsigned)x->type >= ENTRY_TYPE_COUNT || x->time_us < TIME_MIN ||
	    x->time_us > TIME_MAX || x->nfiles > ENTRY_FILES_MAX || x->nheads > ENTRY_HEADS_MAX)
		return err_set(e, ERR_LOG, "log entry: type, time or a count is out of range");
	if ((OF_JOB >> x->type & 1) && !id_valid(x->job))
		return err_set(e, ERR_LOG, "log entry: %s without a job", entry_type_word(x->type));
	buf_init(&b, ENTRY_MAX);
	put_head(&b, x);
	for (const struct key *k = keys; k < keys + NKEYS; k++) {
		if (!(k->types >> x->type & 1))
			continue;
		if (k->put == NULL) {
			for (uint32_t i = 0; i < x->nfiles; i++)
				put_file(&b, &x->files[i]);
			continue;
		}
		buf_printf(&b, "%s ", k->name);
		k->put(&b, (const char *)x + k->offset);
		buf_put(&b, "\n", 1);
	}
	if (b.starved)
		return err_set(e, ERR_MEM, "log entry");
	if (!buf_ok(&b))
		return err_set(e, ERR_LOG, "log entry: longer than %d bytes", ENTRY_MAX);
	buf_put(out, b.data, b.len);
	return buf_ok(out) ? 0 : err_set(e, ERR_MEM, "log entry");
}

static int
get_heads(char *v, struct entry *x)
{
	char *comma;

	if (strcmp(v, "-") == 0)
		return 0;
	for (; v != NULL; v = comma) {
		if ((comma = strchr(v, ',')) != NULL)
			*comma++ = '\0';
		if (x->nheads == ENTRY_HEADS_MAX || get_u64(v, &x->heads[x->nheads++]) < 0)
			return -1;
	}
	return 0;
}

/* The value of the line at *at when it has this key; *at moves on. NULL: another key, or no line. */
static char *
line_value(char **at, const char *key)
{
	size_t n = strlen(key);
	char *lf, *value;

	if (strncmp(*at, key, n) != 0 || (*at)[n] != ' ' || (lf = strchr(*at, '\n')) == NULL)
		return NULL;
	*lf = '\0';
	value = *at + n + 1;
	*at = lf + 1;
	return value;
}

static int
parse_head(char **at, struct entry *x)
{
	char *v;

	if ((v = line_value(at, "type")) == NULL || (x->type = entry_type_by_word(v)) == ENTRY_NONE ||
	    (v = line_value(at, "index")) == NULL || get_u64(v, &x->index) < 0 ||
	    (v = line_value(at, "time")) == NULL || get_time(v, &x->time_us) < 0 ||
	    (v = line_value(at, "heads")) == NULL || get_heads(v, x) < 0)
		return -1;
	return 0;
}

static int
parse_keys(char *at, struct entry *x)
{
	char *v;

	for (const struct key *k = keys; k < keys + NKEYS; k++) {
		if (!(k->types >> x->type & 1))
			continue;
		if (k->put == NULL) {
			while ((v = line_value(&at, k->name)) != NULL)
				if (get_file(v, x) < 0)
					return -1;
			continue;
		}
		if ((v = line_value(&at, k->name)) == NULL || k->get(v, (char *)x + k->offset) < 0)
			return -1;
	}
	return *at == '\0' ? 0 : -1;
}

int
entry_parse(const void *text, size_t len, struct entry *ret, struct err *e)
{
	char copy[ENTRY_MAX + 1], *at = copy + strlen(MAGIC);
	AUTO_BUF again = { 0 };
	struct entry x = { 0 };

	if (len > ENTRY_MAX || len < strlen(MAGIC) || memcmp(text, MAGIC, strlen(MAGIC)) != 0)
		return err_set(e, ERR_LOG, "not a log entry");
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) != len || parse_head(&at, &x) < 0 || parse_keys(at, &x) < 0)
		return err_set(e, ERR_LOG, "log entry: a line is missing, out of place or malformed");
	/* one text for one meaning: it must be what we would write */
	buf_init(&again, ENTRY_MAX);
	if (entry_format(&x, &again, e) == -ERR_MEM)
		return -ERR_MEM;
	if (!buf_ok(&again) || again.len != len || memcmp(again.data, text, len) != 0)
		return err_set(e, ERR_LOG, "log entry: not in its canonical form");
	*ret = x;
	return 0;
}

static const char *
find_line(const char *text, size_t len, const char *line)
{
	size_t n = strlen(line);
	const char *p = text, *end = text + len, *lf;

	for (; p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1)
		if ((size_t)(lf - p) == n && memcmp(p, line, n) == 0)
			return p;
	return NULL;
}

bool
entry_has_line(const void *text, size_t len, const char *line)
{
	return find_line(text, len, line) != NULL;
}

int
entry_peek(const void *text, size_t len, enum entry_type *ret_type, char job[ID_MAX], struct err *e)
{
	static const char key[] = "\njob ";
	const char *p = text, *lf, *at;
	char type[16];
	size_t n = strlen(MAGIC "type ");

	if (len < n || memcmp(p, MAGIC "type ", n) != 0 || (lf = memchr(p + n, '\n', len - n)) == NULL ||
	    (size_t)(lf - p) - n >= sizeof(type))
		return err_set(e, ERR_LOG, "not a log entry");
	memcpy(type, p + n, (size_t)(lf - p) - n);
	type[(size_t)(lf - p) - n] = '\0';
	if ((*ret_type = entry_type_by_word(type)) == ENTRY_NONE)
		return err_set(e, ERR_LOG, "log entry of an unknown type");
	job[0] = '\0';
	at = memmem(p, len, key, strlen(key));
	if (at != NULL && (size_t)(p + len - at) > strlen(key) + ID_LEN) {
		memcpy(job, at + strlen(key), ID_LEN);
		job[ID_LEN] = '\0';
	}
	return 0;
}

void
entry_name_set(struct entry_name *n, const char *name, const uint8_t salt[ENTRY_SALT_LEN], bool plain)
{
	AUTO_BUF b = { 0 };
	struct hash *h;

	memset(n, 0, sizeof(*n));
	if (name == NULL || *name == '\0')
		return;
	buf_init(&b, NAME_PLAIN_MAX);
	put_escaped(&b, name, false);
	if (plain && buf_ok(&b) && strlen(name) < sizeof(n->text)) {
		n->kind = ENTRY_NAME_PLAIN;
		memcpy(n->text, name, strlen(name) + 1);
		return;
	}
	n->kind = ENTRY_NAME_HASHED;
	h = hash_open();
	hash_add(h, salt, ENTRY_SALT_LEN);
	hash_add(h, name, strlen(name));
	hash_final(h, n->hash);
}
