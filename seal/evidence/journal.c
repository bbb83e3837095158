#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/journal.h"

#define RECORD_HEAD 16
#define QUEUE_MAX ((size_t)16 * 1024 * 1024)

struct journal {
	int fd;
	uint64_t first;
	uint64_t *off; /* offsets of the committed records */
	size_t n, cap;
	uint64_t end;      /* offset behind the last good record */
	uint64_t file_end; /* size of the file as found */
	uint64_t reserved; /* disk space is held up to here */
	struct buf queue;
	size_t nqueued;
	bool poisoned;
};

static void
record_put(struct buf *b, uint64_t index, const void *text, size_t len)
{
	struct buf head;
	uint8_t sum[12];
	uint32_t crc;

	buf_init(&head, sizeof(sum));
	buf_put_u32(&head, (uint32_t)len);
	buf_put_u64(&head, index);
	if (!buf_ok(&head)) {
		b->bad = true;
		return;
	}
	memcpy(sum, head.data, sizeof(sum));
	buf_done(&head);
	crc = crc32c(crc32c(0, sum, sizeof(sum)), text, len);
	buf_put_u32(b, (uint32_t)len);
	buf_put_u32(b, crc);
	buf_put_u64(b, index);
	buf_put(b, text, len);
}

/*
 * Reads the record at an offset. 1: good, text holds the entry; 0: nothing
 * good here (end of file, torn or changed); -code: could not read.
 */
static int
record_get(int fd, uint64_t off, uint64_t size, uint64_t *ret_index, struct buf *text, struct err *e)
{
	uint8_t head[RECORD_HEAD], body[ENTRY_MAX], sum[12];
	struct buf v;
	uint32_t len, crc;
	int r;

	if (size - off < RECORD_HEAD)
		return 0;
	if ((r = io_pread_full(fd, head, sizeof(head), off, e)) < 0)
		return r;
	buf_view(&v, head, sizeof(head));
	len = buf_get_u32(&v);
	crc = buf_get_u32(&v);
	*ret_index = buf_get_u64(&v);
	if (len == 0 || len > ENTRY_MAX || len > size - off - RECORD_HEAD)
		return 0;
	if ((r = io_pread_full(fd, body, len, off + RECORD_HEAD, e)) < 0)
		return r;
	memcpy(sum, head, 4);
	memcpy(sum + 4, head + 8, 8);
	if (crc32c(crc32c(0, sum, sizeof(sum)), body, len) != crc)
		return 0;
	buf_put(text, body, len);
	if (text->starved)
		return err_set(e, ERR_MEM, "journal");
	return buf_ok(text) ? 1 : err_set(e, ERR_LOG, "journal: entry is too long for its reader");
}

/* Memory for the offsets of so many records. */
static int
journal_grow(struct journal *j, size_t n, struct err *e)
{
	size_t cap = j->cap == 0 ? 256 : 2 * j->cap;
	uint64_t *p;

	if (n <= j->cap)
		return 0;
	if ((p = reallocarray(j->off, cap, sizeof(*p))) == NULL)
		return err_set(e, ERR_MEM, "journal");
	j->off = p;
	j->cap = cap;
	return 0;
}

static int
new_file(int dir, uint64_t first, bool replace, struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, 256);
	record_put(&b, first, JOURNAL_HEADER, strlen(JOURNAL_HEADER));
	if (!buf_ok(&b))
		return err_set(e, ERR_MEM, "journal");
	if (replace)
		return io_replace(dir, JOURNAL_NAME, b.data, b.len, 0640, e);
	return io_put(dir, JOURNAL_NAME, b.data, b.len, 0640, e);
}

int
journal_create(int dir, struct err *e)
{
	return io_exists(dir, JOURNAL_NAME) ? 0 : new_file(dir, 0, false, e);
}

/* All good records from the start, in order of their index. */
static int
journal_scan(struct journal *j, struct err *e)
{
	AUTO_BUF text = { 0 };
	uint64_t index, at;
	int r;

	buf_init(&text, ENTRY_MAX);
	j->n = 0;
	j->end = 0;
	if ((r = record_get(j->fd, 0, j->file_end, &j->first, &text, e)) < 0)
		return r;
	if (r == 0 || text.len != strlen(JOURNAL_HEADER) || memcmp(text.data, JOURNAL_HEADER, text.len) != 0)
		return err_set(e, ERR_LOG, "evidence/journal: its first record is damaged or missing");
	for (;;) {
		at = j->end + RECORD_HEAD + text.len;
		if (j->end > 0) {
			if ((r = journal_grow(j, j->n + 1, e)) < 0)
				return r;
			j->off[j->n++] = j->end;
		}
		j->end = at;
		buf_clear(&text);
		if ((r = record_get(j->fd, at, j->file_end, &index, &text, e)) < 0)
			return r;
		if (r == 0 || index != j->first + j->n)
			return 0;
	}
}

int
journal_open(struct journal **ret, int dir, bool read_only, struct err *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct stat st;
	int r = 0;

	if (j == NULL)
		return err_set(e, ERR_MEM, "journal");
	buf_init(&j->queue, QUEUE_MAX);
	j->fd = openat(dir, JOURNAL_NAME, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (j->fd < 0)
		r = errno == ENOENT ? err_set(e, ERR_LOG, "evidence/journal is missing") :
		                      err_sys(e, ERR_IO, "evidence/journal");
	else if (fstat(j->fd, &st) < 0)
		r = err_sys(e, ERR_IO, "evidence/journal");
	else if (!S_ISREG(st.st_mode))
		r = err_set(e, ERR_LOG, "evidence/journal is not a file");
	if (r == 0) {
		j->file_end = (uint64_t)st.st_size;
		r = journal_scan(j, e);
	}
	if (r < 0) {
		journal_free(j);
		return r;
	}
	*ret = j;
	return 0;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	io_close(&j->fd);
	buf_done(&j->queue);
	free(j->off);
	free(j);
}

uint64_t
journal_first(const struct journal *j)
{
	return j->first;
}

uint64_t
journal_end(const struct journal *j)
{
	return j->first + j->n;
}

size_t
journal_queued(const struct journal *j)
{
	return j->nqueued;
}

uint64_t
journal_bytes(const struct journal *j)
{
	return j->end;
}

bool
journal_torn(const struct journal *j)
{
	return j->file_end > j->end;
}

bool
journal_poisoned(const struct journal *j)
{
	return j->poisoned;
}

static int
poison(struct journal *j, struct err *e, const char *what)
{
	j->poisoned = true;
	return err_set(e, ERR_LOG, "evidence/journal: %s: %s; restart to recover", what, strerror(errno));
}

static int
usable(const struct journal *j, struct err *e)
{
	return j->poisoned ? err_set(e, ERR_LOG, "evidence/journal: an earlier write failed; restart to recover") : 0;
}

int
journal_cut(struct journal *j, struct err *e)
{
	int r;

	if ((r = usable(j, e)) < 0 || !journal_torn(j))
		return r;
	if (ftruncate(j->fd, (off_t)j->end) < 0)
		return poison(j, e, "cutting it");
	if (fsync(j->fd) < 0)
		return poison(j, e, "fsync");
	j->file_end = j->end;
	return 0;
}

int
journal_add(struct journal *j, const void *text, size_t len, struct err *e)
{
	size_t before = j->queue.len;
	int r;

	if ((r = usable(j, e)) < 0)
		return r;
	if (len == 0 || len > ENTRY_MAX)
		return err_set(e, ERR_LOG, "an entry of %zu bytes", len);
	if ((r = journal_grow(j, j->n + j->nqueued + 1, e)) < 0) /* here, for a commit must not fail when it is durable */
		return r;
	record_put(&j->queue, journal_end(j) + j->nqueued, text, len);
	if (!buf_ok(&j->queue)) {
		j->queue.len = before;
		j->queue.bad = false;
		return err_set(e, ERR_MEM, "journal: too much is waiting to be written");
	}
	j->nqueued++;
	return 0;
}

/* Room on disk for the queue, and some more, before a byte of it is written. */
static int
reserve(struct journal *j, struct err *e)
{
	uint64_t want = j->end + j->queue.len;

	if (want <= j->reserved)
		return 0;
	want += JOURNAL_RESERVE;
	if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, (off_t)j->end, (off_t)(want - j->end)) == 0)
		j->reserved = want;
	else if (errno != EOPNOTSUPP && errno != ENOSYS)
		return err_sys(e, ERR_IO, "evidence/journal: reserving space");
	return 0;
}

/* The queue's records are committed from here on. */
static void
journal_account(struct journal *j)
{
	struct buf v;
	uint64_t base = j->end;

	buf_view(&v, j->queue.data, j->queue.len);
	while (buf_left(&v) > 0) {
		j->off[j->n++] = base + v.pos;
		buf_get_raw(&v, buf_get_u32(&v) + RECORD_HEAD - 4);
	}
	j->end = j->file_end = base + j->queue.len;
	buf_clear(&j->queue);
	j->nqueued = 0;
}

int
journal_commit(struct journal *j, struct err *e)
{
	int r;

	if ((r = usable(j, e)) < 0 || j->nqueued == 0)
		return r;
	if (journal_torn(j))
		return err_set(e, ERR_LOG, "evidence/journal: its end is damaged and was not cut");
	if ((r = reserve(j, e)) < 0)
		return r;
	if ((r = io_pwrite_full(j->fd, j->queue.data, j->queue.len, j->end, e)) < 0) {
		if (ftruncate(j->fd, (off_t)j->end) < 0)
			return poison(j, e, "taking back a write that failed");
		return r;
	}
	if (fdatasync(j->fd) < 0)
		return poison(j, e, "fdatasync");
	journal_account(j);
	return 0;
}

int
journal_read(struct journal *j, uint64_t index, struct buf *out, struct err *e)
{
	uint64_t found;
	int r;

	if (index < j->first || index - j->first >= j->n)
		return err_set(e, ERR_LOG, "entry %llu is not in the journal", (unsigned long long)index);
	if ((r = record_get(j->fd, j->off[index - j->first], j->end, &found, out, e)) < 0)
		return r;
	if (r == 0 || found != index)
		return err_set(e, ERR_LOG, "evidence/journal: entry %llu has changed", (unsigned long long)index);
	return 0;
}

/* Does the name still stand for the file we write? */
static bool
still_ours(const struct journal *j, int dir)
{
	struct stat a, b;

	return fstat(j->fd, &a) == 0 && fstatat(dir, JOURNAL_NAME, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
journal_rotate(struct journal *j, int dir, uint64_t first, struct err *e)
{
	struct journal *fresh;
	int r;

	if ((r = usable(j, e)) < 0)
		return r;
	if (first != journal_end(j) || j->nqueued > 0)
		return err_set(e, ERR_LOG, "evidence/journal: still in use");
	if ((r = new_file(dir, first, true, e)) < 0 && still_ours(j, dir))
		return r; /* nothing has happened: as full a disk as it may be */
	if (r < 0 || (r = journal_open(&fresh, dir, false, e)) < 0) {
		j->poisoned = true;
		return r;
	}
	io_close(&j->fd);
	buf_done(&j->queue);
	free(j->off);
	*j = *fresh;
	free(fresh);
	return 0;
}
