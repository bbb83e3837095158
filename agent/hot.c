#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/hot.h"
#include "agent/marker.h"

#define NAMES_MAX 1000 /* of one document: "Brief (999).tif" */

void
hot_stamp(const struct stat *st, struct hot_stamp *ret)
{
	*ret = (struct hot_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

bool
hot_same(const struct hot_stamp *a, const struct hot_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	    a->ctime_ns == b->ctime_ns;
}

bool
hot_others_write(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static int
not_ours(int error, struct err *e, const char *what)
{
	errno = error;
	err_set(e, ERR_IO, "%s", what);
	return -ERR_IO;
}

/* A FIFO or a device is not even opened: that alone can wake a writer or rewind a tape. */
int
hot_open_file(int dir, const char *name, struct stat *ret, struct err *e)
{
	struct stat st;
	AUTO_FD fd = -1;

	if (strchr(name, '/') != NULL)
		return not_ours(EINVAL, e, "not a plain name");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "looking at the file");
	if (S_ISLNK(st.st_mode))
		return not_ours(ELOOP, e, "a symbolic link");
	if (!S_ISREG(st.st_mode))
		return not_ours(EINVAL, e, "not a regular file");
	if ((fd = path_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY)) < 0)
		return err_sys(e, ERR_IO, "opening the file");
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_IO, "looking at the file");
	if (!S_ISREG(st.st_mode))
		return not_ours(EINVAL, e, "not a regular file");
	*ret = st;
	return take_fd(&fd);
}

int
hot_open_arrival(int dir, const char *name, struct stat *ret, struct err *e)
{
	AUTO_FD fd = hot_open_file(dir, name, ret, e);

	if (fd >= 0 && ret->st_uid == geteuid() && ret->st_nlink > 1 && (ret->st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return not_ours(EPERM, e, "a second name of a file of ours that nobody else may read");
	return fd < 0 ? fd : take_fd(&fd);
}

static int
open_sub(int dir, const char *word, struct err *e)
{
	int r = io_mkdir(dir, word, 0770), fd;

	if (r < 0 && errno != EEXIST)
		return err_sys(e, ERR_IO, "making the folder %s", word);
	if (r == 0 && fsync(dir) < 0)
		return err_sys(e, ERR_IO, "fsync of the folder");
	if ((fd = openat(dir, word, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "opening the folder %s", word);
	return fd;
}

int
hot_open_sub(int dir, const char *word, struct err *e)
{
	const char *slash = strchr(word, '/');
	char first[NAME_MAX + 1];
	AUTO_FD up = -1;

	if (slash == NULL)
		return open_sub(dir, word, e);
	snprintf(first, sizeof(first), "%.*s", (int)(slash - word), word);
	if ((up = open_sub(dir, first, e)) < 0)
		return up;
	return open_sub(up, slash + 1, e);
}

static bool
knows_no_flags(int error)
{
	return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

int
hot_rename(int from, const char *a, int to, const char *b)
{
	if (renameat2(from, a, to, b, RENAME_NOREPLACE) == 0)
		return 0;
	if (!knows_no_flags(errno))
		return -1;
	if (io_exists(to, b)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from, a, to, b);
}

int
hot_publish(int dir, const char *temp, const char *name)
{
	if (renameat2(dir, temp, dir, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (!knows_no_flags(errno))
		return -1;
	if (linkat(dir, temp, dir, name, 0) == 0)
		return unlinkat(dir, temp, 0);
	return errno == EEXIST ? -1 : hot_rename(dir, temp, dir, name);
}

/* "Brief (2).tif": of a long name less of the stem, cut where a character begins. */
static void
number_name(const char *name, int i, char dst[NAME_MAX + 1])
{
	const char *dot = strrchr(name, '.');
	size_t stem = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name), suffix = strlen(name + stem);
	char number[16];
	size_t room;

	room = NAME_MAX - (size_t)snprintf(number, sizeof(number), " (%d)", i);
	if (suffix >= room / 2) { /* no suffix of anything */
		stem += suffix;
		suffix = 0;
	}
	if (stem + suffix > room)
		for (stem = room - suffix; stem > 0 && ((unsigned char)name[stem] & 0xC0) == 0x80; stem--)
			continue;
	snprintf(dst, NAME_MAX + 1, "%.*s%s%s", (int)stem, name, number, suffix > 0 ? dot : "");
}

static bool
is_free(int dir, const char *name, hot_taken *taken, void *ctx)
{
	return !io_exists(dir, name) && (taken == NULL || !taken(ctx, name));
}

void
hot_free_name(int dir, const char *name, hot_taken *taken, void *ctx, char ret[NAME_MAX + 1])
{
	snprintf(ret, NAME_MAX + 1, "%s", name);
	for (int i = 2; !is_free(dir, ret, taken, ctx); i++) {
		if (i == NAMES_MAX) {
			ret[0] = '\0';
			return;
		}
		number_name(name, i, ret);
	}
}

bool
hot_ignored(const char *name)
{
	static const char *const suffixes[] = { ".tmp", ".part", ".partial", ".filepart", ".crdownload" };
	size_t n = strlen(name), k;

	if (name[0] == '.' || strncmp(name, "~$", 2) == 0)
		return true;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (n >= (k = strlen(suffixes[i])) && strcasecmp(name + n - k, suffixes[i]) == 0)
			return true;
	return false;
}

bool
hot_ours(const struct conf_folder *f, const char *name)
{
	const char *const ours[] = { f->word_done, f->word_held, f->word_error, "Stand.txt", "Status.txt", MARKER_NAME };
	size_t n = strcspn(f->word_work, "/");

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return strlen(name) == n && memcmp(name, f->word_work, n) == 0;
}

enum hot_lease
hot_lease(int fd)
{
	/* A writer that waits for our lease makes the kernel send SIGIO, which would end the process. */
	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return HOT_QUIET;
	return errno == EAGAIN ? HOT_WRITER : HOT_UNKNOWN;
}

/* While a break is pending F_GETLEASE answers what it will become: F_UNLCK. */
bool
hot_lease_broken(int fd)
{
	return fcntl(fd, F_GETLEASE) != F_RDLCK;
}

void
hot_unlease(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

const char *
hot_remote(const struct conf_folder *f, int dir)
{
	static const struct {
		unsigned long type;
		const char *name;
	} remote[] = {
		{ NFS_SUPER_MAGIC, "NFS" }, { SMB_SUPER_MAGIC, "SMB" }, { 0xFF534D42, "CIFS" }, { 0xFE534D42, "SMB" },
		{ 0x65735546, "FUSE" }, { V9FS_MAGIC, "9p" }, { AFS_SUPER_MAGIC, "AFS" }, { 0x01161970, "GFS2" },
		{ OCFS2_SUPER_MAGIC, "OCFS2" }, { 0x00C36400, "Ceph" },
	};
	struct statfs s;

	if (f != NULL && f->poll != POLL_AUTO)
		return f->poll == POLL_ALWAYS ? "a file system that is to be polled" : NULL;
	if (fstatfs(dir, &s) < 0)
		return "an unknown file system";
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (((unsigned long)s.f_type & 0xFFFFFFFF) == remote[i].type)
			return remote[i].name;
	return NULL;
}
