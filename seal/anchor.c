#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "seal/anchor.h"

#define RECORD "checkpoint"
#define RESUME "resume"
#define LOCK_TRIES 20 /* a tenth of a second each: our predecessor may still be going */
#define ROOT_TEXT 44  /* base64 of 32 bytes */

/* --- checkpoint text -------------------------------------------------------------------- */

static int
make_note(const struct softkey *k, uint64_t size, const uint8_t root[HASH_LEN], char note[MSG_NOTE_MAX],
    struct err *e)
{
	char text[SOFTKEY_NAME_MAX + 80], base64[ROOT_TEXT + 1];
	int r;
	AUTO_BUF b = { 0 };

	EVP_EncodeBlock((unsigned char *)base64, root, HASH_LEN);
	snprintf(text, sizeof(text), "%s\n%" PRIu64 "\n%s\n", softkey_name(k), size, base64);
	buf_init(&b, MSG_NOTE_MAX - 1);
	if ((r = softkey_note(k, text, &b, e)) < 0)
		return r;
	memcpy(note, b.data, b.len);
	note[b.len] = '\0';
	return 0;
}

/* Size and root of a record; its exact bytes are compared afterwards. */
static bool
parse_note(const char *note, uint64_t *ret_size, uint8_t root[HASH_LEN])
{
	const char *size = strchr(note, '\n'), *text;
	uint8_t raw[HASH_LEN + 3];
	char *end;

	if (size == NULL || size[1] < '0' || size[1] > '9')
		return false;
	errno = 0;
	*ret_size = strtoull(size + 1, &end, 10);
	text = end + 1;
	if (errno != 0 || *end != '\n' || strlen(text) < ROOT_TEXT ||
	    EVP_DecodeBlock(raw, (const unsigned char *)text, ROOT_TEXT) != HASH_LEN + 1)
		return false;
	memcpy(root, raw, HASH_LEN);
	return true;
}

/* --- the directory ---------------------------------------------------------------------- */

static int
lock_dir(int dir, const char *path, struct err *e)
{
	const struct timespec tenth = { 0, 100000000 };

	for (int i = 0; flock(dir, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i >= LOCK_TRIES)
			return err_sys(e, ERR_LOCKED, "evidence.anchor %s", path);
		nanosleep(&tenth, NULL);
	}
	return 0;
}

static int
read_record(struct anchor *a, int dir, struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, MSG_NOTE_MAX - 1);
	if (!io_exists(dir, RECORD))
		return 0;
	if (io_read_file(dir, RECORD, &b, e) < 0) {
		if (e->code == ERR_IO && errno != EIO) /* else it may be read the next time */
			e->code = ERR_LOG;
		return -(int)e->code;
	}
	if (b.len == 0 || memchr(b.data, '\0', b.len) != NULL)
		return err_set(e, ERR_LOG, "evidence.anchor: its record is empty or damaged");
	memcpy(a->note, b.data, b.len);
	a->note[b.len] = '\0';
	a->has = true;
	return 0;
}

int
anchor_open(struct anchor *a, const char *path, bool hold, struct err *e)
{
	int r;
	AUTO_FD dir = -1;

	*a = (struct anchor){ .dir = -1 };
	if (hold && (r = io_mkdir_p(AT_FDCWD, path, 0700, e)) < 0)
		return r;
	if ((dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		if (!hold && errno == ENOENT)
			return 0;
		return err_sys(e, ERR_IO, "evidence.anchor %s", path);
	}
	if (hold && (r = lock_dir(dir, path, e)) < 0)
		return r;
	if ((r = read_record(a, dir, e)) < 0)
		return r;
	if (hold)
		a->dir = take_fd(&dir);
	return 0;
}

/* --- a record that a person gives up ---------------------------------------------------- */

/* Does it name this very record, and a log to go on with? */
static bool
resume_fits(const struct anchor *a, const char *text, uint64_t *ret_size)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const json_t *record = json_object_get(o, "record"), *size = json_object_get(record, "size"),
		     *disk = json_object_get(json_object_get(o, "disk"), "size");
	const char *root = json_string_value(json_object_get(record, "root"));
	uint8_t hash[HASH_LEN];
	bool fits = json_is_integer(disk) && json_integer_value(disk) >= 0;

	if (!a->has)
		fits = fits && json_is_null(record);
	else
		fits = fits && json_is_integer(size) && (uint64_t)json_integer_value(size) == a->size && root != NULL &&
		    hash_from_hex(root, hash) == 0 && memcmp(hash, a->root, HASH_LEN) == 0;
	if (fits)
		*ret_size = (uint64_t)json_integer_value(disk);
	json_decref(o);
	return fits;
}

/* Only whoever signs takes notice of it. */
static int
read_resume(struct anchor *a, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	if (a->dir < 0 || !io_exists(a->dir, RESUME))
		return 0;
	buf_init(&b, MSG_RESUME_MAX - 1);
	if ((r = io_read_file(a->dir, RESUME, &b, e)) < 0)
		return r;
	memcpy(a->resume, b.data, b.len);
	a->resume[b.len] = '\0';
	if (strlen(a->resume) == b.len && resume_fits(a, a->resume, &a->resume_size))
		return 0;
	a->resume[0] = '\0';
	log_line(LOG_WARNING, "evidence.anchor: resume is not about this record; it is removed");
	return io_unlink(a->dir, RESUME, e);
}

/* The record that no longer holds stays readable; the log says why from here on. */
static int
give_up(struct anchor *a, struct err *e)
{
	char name[40];

	if (!a->has)
		return 0;
	snprintf(name, sizeof(name), "given-up.%" PRIu64, a->size);
	return io_replace(a->dir, name, a->note, strlen(a->note), 0600, e);
}

int
anchor_check(struct anchor *a, const struct softkey *k, struct err *e)
{
	char again[MSG_NOTE_MAX];
	int r;

	if (!a->has)
		return read_resume(a, e);
	if (!parse_note(a->note, &a->size, a->root))
		return err_set(e, ERR_LOG, "evidence.anchor: its record is damaged");
	if ((r = make_note(k, a->size, a->root, again, e)) < 0)
		return r;
	if (strcmp(again, a->note) != 0)
		return err_set(e, ERR_LOG,
		    "evidence.anchor: its record is of another log or key than evidence.origin and evidence.key");
	return read_resume(a, e);
}

/* --- signing ---------------------------------------------------------------------------- */

static int
refuse(const struct anchor *a, const struct softkey *k, const char *origin, uint64_t size,
    const uint8_t root[HASH_LEN], struct err *e)
{
	static const uint8_t empty[HASH_LEN] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb,
		0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95,
		0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 }; /* MTH of no entry (RFC 6962, 2.1) */

	if (strcmp(origin, softkey_name(k)) != 0)
		return err_set(e, ERR_LOG, "asked to sign for another log than evidence.origin");
	if (size == 0 && memcmp(root, empty, HASH_LEN) != 0)
		return err_set(e, ERR_LOG, "a tree without entries has another root");
	if (a->resume[0] != '\0') /* the entry that says why must be under it */
		return size > a->resume_size ? 0 : err_set(e, ERR_LOG_ROLLBACK,
		    "the log has %" PRIu64 " entries, and none after %" PRIu64 " says why", size, a->resume_size);
	if (a->has && size < a->size)
		return err_set(e, ERR_LOG_ROLLBACK, "the log has %" PRIu64 " entries, signed were %" PRIu64, size, a->size);
	if (a->has && size == a->size && memcmp(root, a->root, HASH_LEN) != 0)
		return err_set(e, ERR_LOG_ROLLBACK, "the log has another root at %" PRIu64 " entries than was signed", size);
	return 0;
}

int
anchor_note(struct anchor *a, const struct softkey *k, const char *origin, uint64_t size,
    const uint8_t root[HASH_LEN], struct err *e)
{
	char note[MSG_NOTE_MAX];
	int r;

	if ((r = refuse(a, k, origin, size, root, e)) < 0)
		return r;
	if (a->has && size == a->size && memcmp(root, a->root, HASH_LEN) == 0)
		return 0; /* the same head: the same note */
	if ((r = make_note(k, size, root, note, e)) < 0 || (a->resume[0] != '\0' && (r = give_up(a, e)) < 0) ||
	    (r = io_replace(a->dir, RECORD, note, strlen(note), 0600, e)) < 0)
		return r;
	if (a->resume[0] != '\0' && (r = io_unlink(a->dir, RESUME, e)) < 0)
		return r;
	a->resume[0] = '\0';
	a->has = true;
	a->size = size;
	memcpy(a->root, root, HASH_LEN);
	memcpy(a->note, note, sizeof(note));
	return 0;
}

void
anchor_close(struct anchor *a)
{
	io_close(&a->dir);
}
