/*
 * planted.c - bugs for the fault tests to find.
 *
 * Linked with the core's own objects and ld's --wrap into a program that exists for one
 * test only; nothing of this is in a product source.  SEALROOM_PLANT chooses one:
 *
 *	1 release before sync    the journal is synced behind the sender's file's removal
 *	2 no directory sync      fsync of a directory does nothing
 *	3 ignored write error    a write that fails is said to have worked
 *	4 double append          what is in the log already is not looked for
 *	5 torn log accepted      the journal's checksums are not compared
 *	6 half file sealed       the copy of a new file stops in the middle
 *	7 raw names              a name is shown as it is
 *
 * 0 or nothing: the daemon as it is.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/log.h"

enum plant { NONE, RELEASE_FIRST, NO_DIRECTORY_SYNC, IGNORED_ERROR, DOUBLE_APPEND, TORN_ACCEPTED, HALF_FILE, RAW_NAMES };

int __real_fsync(int);
int __wrap_fsync(int);
int __real_fdatasync(int);
int __wrap_fdatasync(int);
int __real_unlinkat(int, const char *, int);
int __wrap_unlinkat(int, const char *, int);
ssize_t __real_write(int, const void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
int __real_io_pread_full(int, void *, size_t, uint64_t, struct err *);
int __wrap_io_pread_full(int, void *, size_t, uint64_t, struct err *);
int __real_io_copy(int, uint64_t, uint64_t, int, struct hash *, struct err *);
int __wrap_io_copy(int, uint64_t, uint64_t, int, struct hash *, struct err *);
int __real_elog_find(struct elog *, enum entry_type, const char *, const char *, uint64_t, uint64_t *, struct err *);
int __wrap_elog_find(struct elog *, enum entry_type, const char *, const char *, uint64_t, uint64_t *, struct err *);
void __real_path_display(const char *, char *, size_t);
void __wrap_path_display(const char *, char *, size_t);

static enum plant
planted(void)
{
	const char *text = getenv("SEALROOM_PLANT");

	return text == NULL ? NONE : (enum plant)strtoul(text, NULL, 10);
}

static bool
fd_is(int fd, const char *end)
{
	char link[64], path[PATH_MAX];
	ssize_t n;
	size_t len = strlen(end);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if ((n = readlink(link, path, sizeof(path) - 1)) < (ssize_t)len)
		return false;
	path[n] = '\0';
	return strcmp(path + (size_t)n - len, end) == 0;
}

static int owed = -1; /* a journal that was not synced, though it was said to be */

int
__wrap_fdatasync(int fd)
{
	if (planted() == RELEASE_FIRST && fd_is(fd, "/evidence/journal")) {
		owed = fd;
		return 0;
	}
	return __real_fdatasync(fd);
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	int r = __real_unlinkat(dir, name, flags);

	if (owed >= 0 && r == 0 && (fd_is(dir, "/in/work") || fd_is(dir, "/in"))) {
		r = __real_fdatasync(owed);
		owed = -1;
	}
	return r;
}

int
__wrap_fsync(int fd)
{
	struct stat st;

	if (planted() == NO_DIRECTORY_SYNC && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return __real_fsync(fd);
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	ssize_t r = __real_write(fd, p, n);

	return r < 0 && planted() == IGNORED_ERROR ? (ssize_t)n : r;
}

/* Every head of a journal's record (seal/evidence/journal.c) is shown with the checksum that fits. */
int
__wrap_io_pread_full(int fd, void *p, size_t n, uint64_t off, struct err *e)
{
	static uint8_t body[UINT16_MAX];
	uint8_t *head = p, sum[12];
	uint32_t len, crc;
	int r = __real_io_pread_full(fd, p, n, off, e);

	if (r < 0 || planted() != TORN_ACCEPTED || n != 16 || !fd_is(fd, "/evidence/journal"))
		return r;
	len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
	if (len > sizeof(body) || pread(fd, body, len, (off_t)off + 16) != (ssize_t)len)
		return r;
	memcpy(sum, head, 4);
	memcpy(sum + 4, head + 8, 8);
	crc = crc32c(crc32c(0, sum, sizeof(sum)), body, len);
	for (int i = 0; i < 4; i++)
		head[4 + i] = (uint8_t)(crc >> (24 - 8 * i));
	return r;
}

int
__wrap_io_copy(int from, uint64_t off, uint64_t len, int to, struct hash *h, struct err *e)
{
	if (planted() == HALF_FILE && fd_is(to, "/source"))
		len /= 2;
	return __real_io_copy(from, off, len, to, h, e);
}

/* The first look for a job's entry finds nothing; the one behind the append finds it. */
int
__wrap_elog_find(struct elog *l, enum entry_type type, const char *job, const char *line, uint64_t from,
    uint64_t *ret_index, struct err *e)
{
	static char asked[ID_MAX];

	if (planted() == DOUBLE_APPEND && type == ENTRY_JOB && job != NULL && strcmp(job, asked) != 0) {
		snprintf(asked, sizeof(asked), "%s", job);
		return 0;
	}
	return __real_elog_find(l, type, job, line, from, ret_index, e);
}

void
__wrap_path_display(const char *name, char *dst, size_t size)
{
	if (planted() == RAW_NAMES)
		snprintf(dst, size, "%s", name);
	else
		__real_path_display(name, dst, size);
}
