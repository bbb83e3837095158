#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/format.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/path.h"

#include "agent/jsonput.h"
#include "agent/spool.h"

#define RECORD_MAX (1u << 20)

static const char *const state_names[SPOOL_STATES] = {
	[SPOOL_INCOMING] = "incoming", [SPOOL_CLAIMED] = "claimed", [SPOOL_RENDERED] = "rendered",
	[SPOOL_SIGNED] = "signed", [SPOOL_SEALED] = "sealed", [SPOOL_ARCHIVED] = "archived",
	[SPOOL_LOGGED] = "logged", [SPOOL_RELEASED] = "released", [SPOOL_REFUSED] = "refused",
	[SPOOL_HELD] = "held",
};

const char *
spool_state_name(enum spool_state s)
{
	return state_names[s];
}

/* --- opening -------------------------------------------------------------------------- */

/* Locks, renames and fsync mean what we need on local file systems only. */
static int
check_fs(int fd, const char *path, struct err *e)
{
	static const struct { unsigned long type; const char *name; } remote[] = {
		{ NFS_SUPER_MAGIC, "NFS" }, { SMB_SUPER_MAGIC, "SMB" }, { 0xFF534D42, "CIFS" },
		{ 0xFE534D42, "SMB2" }, { 0x65735546, "FUSE" }, { V9FS_MAGIC, "9p" }, { AFS_SUPER_MAGIC, "AFS" },
		{ CEPH_SUPER_MAGIC, "Ceph" },
	};
	struct statfs s;

	if (fstatfs(fd, &s) < 0)
		return err_sys(e, ERR_IO, "file system of %s", path);
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if ((unsigned long)s.f_type == remote[i].type)
			return err_set(e, ERR_CONF, "state directory %s lies on %s; it needs a local file system",
			    path, remote[i].name);
	return 0;
}

static int
take_lock(struct spool *s, struct err *e)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if ((s->lock = openat(s->state, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		return err_sys(e, ERR_IO, "state lock");
	if (fcntl(s->lock, F_OFD_SETLK, &l) < 0)
		return errno == EAGAIN || errno == EACCES ?
		    err_set(e, ERR_LOCKED, "another sealroomd works with this state directory") :
		    err_sys(e, ERR_IO, "state lock");
	return 0;
}

static int
check_format(int dir, bool make, struct err *e)
{
	unsigned format;
	AUTO_BUF b;
	int r;

	buf_init(&b, 64);
	if (!io_exists(dir, "FORMAT"))
		return make ? io_put(dir, "FORMAT", SPOOL_FORMAT, strlen(SPOOL_FORMAT), 0600, e) : 0;
	if ((r = io_read_file(dir, "FORMAT", &b, e)) < 0)
		return r;
	if ((format = format_number(b.data, b.len, SPOOL_NAME)) == 0)
		return err_set(e, ERR_CONF, "spool: its FORMAT is not one of " SPOOL_NAME);
	if (format > SPOOL_NEWEST)
		return err_set(e, ERR_CONF, "spool: its FORMAT is " SPOOL_NAME "/%u, which a later release began; this one knows "
		    "up to %u: start the later release and let it finish all jobs first", format, SPOOL_NEWEST);
	return format == SPOOL_NEWEST || !make ? 0 : io_replace(dir, "FORMAT", SPOOL_FORMAT, strlen(SPOOL_FORMAT), 0600, e);
}

/* Made once: whoever has this state directory and its lock is this agent, on whatever host. */
static int
know_agent(struct spool *s, bool make, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, ID_LEN);
	if (!io_exists(s->state, "agent")) {
		if (!make)
			return 0;
		if (id_new(s->agent) < 0)
			return err_sys(e, ERR_IO, "random numbers");
		return io_put(s->state, "agent", s->agent, ID_LEN, 0600, e);
	}
	if ((r = io_read_file(s->state, "agent", &b, e)) < 0)
		return r;
	snprintf(s->agent, sizeof(s->agent), "%.*s", (int)b.len, (const char *)b.data);
	return id_valid(s->agent) ? 0 : err_set(e, ERR_CONF, "the file agent in the state directory is damaged; remove it");
}

static int
open_below(int dir, const char *path, bool make, int *ret, struct err *e)
{
	int r, fd;

	if (make && (r = io_mkdir_p(dir, path, 0700, e)) < 0)
		return r;
	if ((fd = io_open_dir(dir, path, e)) < 0)
		return fd;
	*ret = fd;
	return 0;
}

void
spool_init(struct spool *s)
{
	s->state = s->lock = s->quarantine = s->seen = s->tokens = s->tsa = s->events_tmp = s->events_new = -1;
	s->agent[0] = '\0';
	for (int i = 0; i < SPOOL_STATES; i++)
		s->dir[i] = -1;
}

static int
open_dirs(struct spool *s, bool make, struct err *e)
{
	const struct { const char *name; int *fd; } more[] = {
		{ "quarantine", &s->quarantine }, { "seen", &s->seen }, { "tokens", &s->tokens }, { "tsa", &s->tsa },
		{ "events/tmp", &s->events_tmp }, { "events/new", &s->events_new },
	};
	char path[64];
	AUTO_FD spool = -1;
	int r;

	if ((r = open_below(s->state, "spool", make, &spool, e)) < 0 || (r = check_format(spool, make, e)) < 0 ||
	    (r = know_agent(s, make, e)) < 0)
		return r;
	for (int i = 0; i < SPOOL_STATES; i++)
		if ((r = open_below(spool, state_names[i], make, &s->dir[i], e)) < 0)
			return r;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(path, sizeof(path), "%s", more[i].name);
		if ((r = open_below(s->state, path, make, more[i].fd, e)) < 0)
			return r;
	}
	return 0;
}

static int
spool_begin(struct spool *s, const struct conf *conf, bool make, struct err *e)
{
	int r;

	spool_init(s);
	if (make && (r = io_mkdir_p(AT_FDCWD, conf->state, 0700, e)) < 0)
		return r;
	if ((s->state = open(conf->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_CONF, "state directory %s", conf->state);
	if (make && ((r = check_fs(s->state, conf->state, e)) < 0 || (r = take_lock(s, e)) < 0))
		return r;
	return open_dirs(s, make, e);
}

int
spool_open(struct spool *s, const struct conf *conf, struct err *e)
{
	int r = spool_begin(s, conf, true, e);

	if (r < 0)
		spool_close(s);
	return r;
}

int
spool_peek(struct spool *s, const struct conf *conf, struct err *e)
{
	int r = spool_begin(s, conf, false, e);

	if (r < 0)
		spool_close(s);
	return r;
}

void
spool_close(struct spool *s)
{
	int *const fds[] = { &s->quarantine, &s->seen, &s->tokens, &s->tsa, &s->events_tmp, &s->events_new,
		&s->lock, &s->state };

	for (int i = 0; i < SPOOL_STATES; i++)
		io_close(&s->dir[i]);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		io_close(fds[i]);
}

int
spool_job_dir(const struct spool *s, enum spool_state st, const char *id, struct err *e)
{
	return io_open_dir(s->dir[st], id, e);
}

/*
 * A job that was moved, not synced, and could not be moved back on a disk that was
 * full: back, wherever to, so that what was not synced is done again.  What is only
 * being claimed is nobody's yet, and taken back by who claims it.
 */
static bool
take_back(const struct spool *s, const char *id, enum spool_state from)
{
	if (from == SPOOL_REFUSED && renameat2(s->quarantine, id, s->dir[from], id, RENAME_NOREPLACE) == 0)
		return true;
	for (enum spool_state st = SPOOL_CLAIMED; from != SPOOL_INCOMING && st < SPOOL_STATES; st++)
		if (st != from && renameat2(s->dir[st], id, s->dir[from], id, RENAME_NOREPLACE) == 0)
			return true;
	return false;
}

static int
move_to(const struct spool *s, const char *id, enum spool_state from, int to, struct err *e)
{
	int r = io_move(s->dir[from], id, to, id, e);

	if (r < 0 && errno == ENOENT && take_back(s, id, from))
		r = io_move(s->dir[from], id, to, id, e);
	return r;
}

int
spool_move(const struct spool *s, const char *id, enum spool_state from, enum spool_state to, struct err *e)
{
	return move_to(s, id, from, s->dir[to], e);
}

int
spool_put_away(const struct spool *s, const char *id, struct err *e)
{
	return move_to(s, id, SPOOL_REFUSED, s->quarantine, e);
}

int
spool_space(int fd, uint64_t *ret_free, struct err *e)
{
	struct statvfs v;

	if (fstatvfs(fd, &v) < 0)
		return err_sys(e, ERR_IO, "free space");
	*ret_free = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

int
record_put(int job_dir, const char *name, const void *p, size_t n, struct err *e)
{
	return io_put(job_dir, name, p, n, 0600, e);
}

int
record_put_buf(int job_dir, const char *name, const struct buf *b, struct err *e)
{
	if (!buf_ok(b))
		return err_set(e, ERR_MEM, "record %s", name);
	return record_put(job_dir, name, b->data, b->len, e);
}

int
record_replace_buf(int job_dir, const char *name, const struct buf *b, struct err *e)
{
	if (!buf_ok(b))
		return err_set(e, ERR_MEM, "record %s", name);
	return io_replace(job_dir, name, b->data, b->len, 0600, e);
}

int
record_get(int job_dir, const char *name, struct buf *b, struct err *e)
{
	if (b->max == 0)
		b->max = RECORD_MAX;
	return io_read_file(job_dir, name, b, e);
}

/* --- claim ---------------------------------------------------------------------------- */

static json_t *
ticket_json(const struct claim *c)
{
	char hash[HASH_HEX];

	hash_hex(c->ticket.hash, hash);
	return json_pack("{s:I, s:I, s:s, s:I, s:b}", "size", (json_int_t)c->ticket.size, "mtime_ns",
	    (json_int_t)c->ticket.mtime_ns, "sha256", hash, "owner", (json_int_t)c->ticket.owner, "others_write",
	    c->ticket.others_write);
}

static int
ticket_from(const json_t *t, struct claim *c)
{
	json_int_t size, mtime, owner;
	const char *hash;
	int others_write = 0;

	if (t == NULL)
		return 0;
	if (json_unpack((json_t *)(uintptr_t)t, "{s:I, s:I, s:s, s:I, s?b}", "size", &size, "mtime_ns", &mtime, "sha256",
	        &hash, "owner", &owner, "others_write", &others_write) < 0 || hash_from_hex(hash, c->ticket.hash) < 0)
		return -1;
	c->ticket.has = true;
	c->ticket.size = (uint64_t)size;
	c->ticket.mtime_ns = mtime;
	c->ticket.owner = (uid_t)owner;
	c->ticket.others_write = others_write;
	return 0;
}

int
claim_put(int job_dir, const struct claim *c, struct err *e)
{
	char hash[HASH_HEX], name[3 * SPOOL_NAME_MAX], work[3 * SPOOL_NAME_MAX];
	AUTO_FREE char *text = NULL;
	json_t *j;

	hash_hex(c->hash, hash);
	path_escape(c->name, name, sizeof(name));
	path_escape(c->work_name, work, sizeof(work));
	j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:I, s:I, s:s, s:I}", "v", 1, "id", c->id,
	    "folder", c->folder, "name", name, "work_name", work, "size", (json_int_t)c->size, "mtime_ns",
	    (json_int_t)c->mtime_ns, "sha256", hash, "owner", (json_int_t)c->owner, "others_write",
	    c->others_write, "received_us", (json_int_t)c->received_us, "log_size", (json_int_t)c->log_size, "salt", c->salt, "work_ino",
	    (json_int_t)c->work_ino);
	if (c->ticket.has)
		json_put(&j, "ticket", ticket_json(c));
	if (j != NULL)
		text = json_text(j, JSON_INDENT(1));
	json_decref(j);
	if (text == NULL)
		return err_set(e, ERR_MEM, "claim");
	return record_put(job_dir, "claim", text, strlen(text), e);
}

static int
claim_parse(const char *text, size_t len, struct claim *c)
{
	const char *id, *folder, *name, *work, *hash, *salt;
	json_int_t size, mtime, owner, received, log_size, work_ino = 0;
	json_t *j = json_loadb(text, len, 0, NULL);
	int v, others_write = 0, r = -1;

	if (j != NULL &&
	    json_unpack(j, "{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s?b, s:I, s:I, s:s, s?I}", "v", &v, "id", &id,
	        "folder", &folder, "name", &name, "work_name", &work, "size", &size, "mtime_ns", &mtime, "sha256",
	        &hash, "owner", &owner, "others_write", &others_write, "received_us", &received, "log_size", &log_size,
	        "salt", &salt, "work_ino", &work_ino) == 0 &&
	    v == 1 && id_valid(id) && strlen(folder) < sizeof(c->folder) && strlen(salt) == sizeof(c->salt) - 1 &&
	    hash_from_hex(hash, c->hash) == 0 && path_unescape(name, c->name, sizeof(c->name)) == 0 &&
	    path_unescape(work, c->work_name, sizeof(c->work_name)) == 0 &&
	    ticket_from(json_object_get(j, "ticket"), c) == 0) {
		memcpy(c->id, id, ID_MAX);
		strcpy(c->folder, folder);
		strcpy(c->salt, salt);
		c->size = (uint64_t)size;
		c->mtime_ns = mtime;
		c->work_ino = (uint64_t)work_ino;
		c->owner = (uid_t)owner;
		c->others_write = others_write;
		c->received_us = received;
		c->log_size = (uint64_t)log_size;
		r = 0;
	}
	json_decref(j);
	return r;
}

int
claim_get(int job_dir, struct claim *ret, struct err *e)
{
	struct claim c;
	AUTO_BUF b;
	int r;

	memset(&c, 0, sizeof(c));
	buf_init(&b, 64 * 1024);
	if ((r = record_get(job_dir, "claim", &b, e)) < 0)
		return r;
	if (claim_parse((const char *)b.data, b.len, &c) < 0)
		return err_set(e, ERR_IO, "claim is damaged");
	*ret = c;
	return 0;
}

void
claim_salt(const struct claim *c, uint8_t out[16])
{
	for (size_t i = 0; i < 16; i++) {
		char two[3] = { c->salt[2 * i], c->salt[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

void
claim_identity(const struct claim *c, uint8_t out[HASH_LEN])
{
	AUTO_BUF b;

	buf_init(&b, 4096);
	buf_put_str(&b, c->folder);
	buf_put_str(&b, c->name);
	buf_put_u64(&b, c->size);
	buf_put_u64(&b, (uint64_t)c->mtime_ns);
	buf_put(&b, c->hash, HASH_LEN);
	hash_buf(&b, out);
}

/* --- seen ----------------------------------------------------------------------------- */

static void
seen_name(const struct claim *c, char out[HASH_HEX])
{
	uint8_t id[HASH_LEN];

	claim_identity(c, id);
	hash_hex(id, out);
}

#define SEEN_NAME_MAX (HASH_HEX + 2)

static void
seen_more(enum seen_kind kind, const struct claim *c, const char *reference, char out[SEEN_NAME_MAX])
{
	static const char letters[] = { [SEEN_BYTES] = 'd', [SEEN_REFERENCE] = 'r', [SEEN_BOTH] = 's' };
	uint8_t hash[HASH_LEN];
	char hex[HASH_HEX];
	AUTO_BUF b;

	buf_init(&b, 4096);
	buf_put_str(&b, c->folder);
	if (kind != SEEN_BYTES)
		buf_put_str(&b, reference);
	if (kind != SEEN_REFERENCE)
		buf_put(&b, c->hash, HASH_LEN);
	hash_buf(&b, hash);
	hash_hex(hash, hex);
	snprintf(out, SEEN_NAME_MAX, "%c-%s", letters[kind], hex);
}

/* Durable with the file's own name, which comes last; empty after a power cut, it counts for nothing. The first job stays. */
static int
seen_link(const struct spool *s, int fd, enum seen_kind kind, const struct claim *c, const char *reference, struct err *e)
{
	char name[SEEN_NAME_MAX];
	int r;

	seen_more(kind, c, reference, name);
	r = io_there(s->seen, name, e);
	return r == 0 ? io_link_fd(s->seen, name, fd, e) : r < 0 ? r : 0;
}

int
seen_put(const struct spool *s, const struct claim *c, const char *reference, struct err *e)
{
	char name[HASH_HEX];
	AUTO_FD fd = -1;
	int r;

	seen_name(c, name);
	if ((r = io_there(s->seen, name, e)) != 0) /* a crash after it was put: the same job comes by again */
		return r < 0 ? r : io_sync(s->seen, e);
	if ((fd = io_tmpfile(s->seen, e)) < 0)
		return fd;
	if ((r = io_write_full(fd, c->id, ID_LEN, e)) < 0 ||
	    (r = seen_link(s, fd, SEEN_BYTES, c, NULL, e)) < 0)
		return r;
	if (*reference != '\0' && ((r = seen_link(s, fd, SEEN_REFERENCE, c, reference, e)) < 0 ||
	                              (r = seen_link(s, fd, SEEN_BOTH, c, reference, e)) < 0))
		return r;
	return io_put_fd(s->seen, name, fd, e);
}

/* What can not be looked at was perhaps seen: that is an error, else it would be sealed twice. */
static int
seen_read(const struct spool *s, const char *name, char ret_id[ID_MAX], struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, ID_LEN);
	if (io_read_file(s->seen, name, &b, e) < 0)
		return errno == ENOENT || errno == EFBIG ? 0 : -(int)e->code;
	if (b.len != ID_LEN)
		return 0;
	memcpy(ret_id, b.data, ID_LEN);
	ret_id[ID_LEN] = '\0';
	return 1;
}

int
seen_has(const struct spool *s, const struct claim *c, char ret_id[ID_MAX], struct err *e)
{
	char name[HASH_HEX];

	seen_name(c, name);
	return seen_read(s, name, ret_id, e);
}

int
seen_find(const struct spool *s, enum seen_kind kind, const struct claim *c, const char *reference, char ret_id[ID_MAX],
    struct err *e)
{
	char name[SEEN_NAME_MAX];
	int r;

	seen_more(kind, c, reference, name);
	r = seen_read(s, name, ret_id, e);
	return r == 1 && !id_valid(ret_id) ? 0 : r;
}
