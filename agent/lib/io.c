#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"

void
io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void
io_free(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

int
io_read_full(int fd, void *p, size_t n, struct err *e)
{
	uint8_t *d = p;
	ssize_t r;

	while (n > 0) {
		if ((r = read(fd, d, n)) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, ERR_IO, "reading");
		}
		if (r == 0)
			return err_set(e, ERR_IO, "file is shorter than expected");
		d += r;
		n -= (size_t)r;
	}
	return 0;
}

int
io_pread_full(int fd, void *p, size_t n, uint64_t off, struct err *e)
{
	uint8_t *d = p;
	ssize_t r;

	while (n > 0) {
		if ((r = pread(fd, d, n, (off_t)off)) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, ERR_IO, "reading");
		}
		if (r == 0)
			return err_set(e, ERR_IO, "file is shorter than expected");
		d += r;
		off += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

int
io_write_full(int fd, const void *p, size_t n, struct err *e)
{
	const uint8_t *d = p;
	ssize_t r;

	while (n > 0) {
		if ((r = write(fd, d, n)) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, ERR_IO, "writing");
		}
		d += r;
		n -= (size_t)r;
	}
	return 0;
}

int
io_pwrite_full(int fd, const void *p, size_t n, uint64_t off, struct err *e)
{
	const uint8_t *d = p;
	ssize_t r;

	while (n > 0) {
		if ((r = pwrite(fd, d, n, (off_t)off)) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, ERR_IO, "writing");
		}
		d += r;
		off += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

int
io_copy(int from, uint64_t off, uint64_t len, int to, struct hash *h, struct err *e)
{
	static uint8_t block[256 * 1024];
	size_t n;
	int r;

	while (len > 0) {
		n = len < sizeof(block) ? (size_t)len : sizeof(block);
		if ((r = io_pread_full(from, block, n, off, e)) < 0 ||
		    (r = io_write_full(to, block, n, e)) < 0)
			return r;
		if (h != NULL)
			hash_add(h, block, n);
		off += n;
		len -= n;
	}
	return 0;
}

static int
flush_range(int fd, uint64_t at, uint64_t len, unsigned how, struct err *e)
{
	if (sync_file_range(fd, (off_t)at, (off_t)len, how) == 0 || errno == ENOSYS || errno == EINVAL || errno == ESPIPE)
		return 0;
	return err_sys(e, ERR_IO, "writing to disk");
}

int
io_flush(int fd, uint64_t at, uint64_t len, struct err *e)
{
	return flush_range(fd, at, len, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER, e);
}

int
io_flush_behind(int fd, uint64_t end, uint64_t step, struct err *e)
{
	uint64_t last = end > step ? end - step : 0, before = last > step ? last - step : 0;
	int r;

	if ((r = flush_range(fd, last, end - last, SYNC_FILE_RANGE_WRITE, e)) < 0 || last == 0)
		return r;
	return io_flush(fd, before, last - before, e);
}

int
io_size(int fd, uint64_t *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_IO, "size of file");
	*ret = (uint64_t)st.st_size;
	return 0;
}

int
io_read_only(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL), r;
	char proc[64];

	/* a file without a name has this one */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	r = flags < 0 || (flags & O_ACCMODE) == O_RDONLY ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : open(proc, O_RDONLY | O_CLOEXEC);
	return r < 0 ? err_sys(e, ERR_IO, "descriptor to read from") : r;
}

int
io_read_file(int dir, const char *name, struct buf *b, struct err *e)
{
	uint8_t block[8192];
	ssize_t n;
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return err_sys(e, ERR_IO, "%s", name);
	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, ERR_IO, "%s", name);
		}
		buf_put(b, block, (size_t)n);
		if (b->starved) {
			errno = ENOMEM;
			return err_set(e, ERR_MEM, "%s", name);
		}
		if (!buf_ok(b)) {
			errno = EFBIG;
			return err_set(e, ERR_IO, "%s: larger than %zu bytes", name, b->max);
		}
	}
	return 0;
}

int
io_there(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, ERR_IO, "looking for %s", name);
}

bool
io_exists(int dir, const char *name)
{
	struct err ignored;

	return io_there(dir, name, &ignored) != 0;
}

int
io_open_dir(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, ERR_IO, "directory %s", name) : fd;
}

int
io_sync(int fd, struct err *e)
{
	return fsync(fd) < 0 ? err_sys(e, ERR_IO, "fsync") : 0;
}

int
io_sync_dir(int dir, const char *name, struct err *e)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, ERR_IO, "fsync of directory %s", name);
	return 0;
}

int
io_mkdir(int dir, const char *name, mode_t mode)
{
	mode_t mask = umask(0);
	int r = mkdirat(dir, name, mode), saved = errno;

	umask(mask);
	errno = saved;
	return r;
}

int
io_mkdir_p(int dir, const char *path, mode_t mode, struct err *e)
{
	char part[4096];
	const char *slash;
	bool made;
	int r, at, next;
	AUTO_FD held = -1;

	at = dir;
	if (*path == '/') {
		if ((held = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return err_sys(e, ERR_IO, "directory /");
		at = held;
	}
	for (;; path = slash) {
		path += strspn(path, "/");
		if (*path == '\0')
			return 0;
		slash = path + strcspn(path, "/");
		if ((size_t)(slash - path) >= sizeof(part))
			return err_set(e, ERR_IO, "path is too long");
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if (!(made = io_mkdir(at, part, mode) == 0) && errno != EEXIST)
			return err_sys(e, ERR_IO, "making directory %s", part);
		if ((next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return err_sys(e, ERR_IO, "directory %s", part);
		if (made && (r = io_sync_dir(at, ".", e)) < 0) {
			close(next);
			return r;
		}
		io_close(&held);
		at = held = next;
	}
}

int
io_memfd(const char *name, const void *p, size_t n, struct err *e)
{
	AUTO_FD fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_sys(e, ERR_IO, "memfd");
	if ((r = io_pwrite_full(fd, p, n, 0, e)) < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_sys(e, ERR_IO, "memfd seal");
	return take_fd(&fd);
}

int
io_tmpfile(int dir, struct err *e)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		fd = memfd_create("task", MFD_CLOEXEC);
	return fd < 0 ? err_sys(e, ERR_IO, "temporary file") : fd;
}

/* ".name.tmp", the name under which a file grows before it is put. */
static int
tmp_name(const char *name, char *dst, size_t size, struct err *e)
{
	int n = snprintf(dst, size, ".%s.tmp", name);

	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_IO, "name is too long");
	return 0;
}

static int
tmp_write(int dir, const char *tmp, const void *p, size_t n, mode_t mode, struct err *e)
{
	AUTO_FD fd = -1;
	int r;

	if (unlinkat(dir, tmp, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "removing old %s", tmp);
	if ((fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "creating %s", tmp);
	if ((r = io_write_full(fd, p, n, e)) < 0)
		return r;
	if (mode != 0600 && fchmod(fd, mode) < 0)
		return err_sys(e, ERR_IO, "mode of %s", tmp);
	if ((r = io_sync(fd, e)) < 0)
		return r;
	if (close(take_fd(&fd)) < 0)
		return err_sys(e, ERR_IO, "closing %s", tmp);
	return 0;
}

/* A name that may not survive is worse than none: the caller puts it again, into a new file. */
static void
take_back(int dir, const char *name)
{
	int saved = errno;

	unlinkat(dir, name, 0);
	errno = saved;
}

static int
put_flags(int dir, const char *name, const void *p, size_t n, mode_t mode, unsigned flags, struct err *e)
{
	char tmp[NAME_MAX + 1];
	int r, saved;

	if ((r = tmp_name(name, tmp, sizeof(tmp), e)) < 0)
		return r;
	r = tmp_write(dir, tmp, p, n, mode, e);
	if (r == 0 && renameat2(dir, tmp, dir, name, flags) < 0)
		r = err_sys(e, ERR_IO, "publishing %s", name);
	if (r < 0) {
		saved = errno;
		unlinkat(dir, tmp, 0);
		errno = saved;
		return r;
	}
	if ((r = io_sync_dir(dir, ".", e)) < 0 && flags == RENAME_NOREPLACE)
		take_back(dir, name);
	return r;
}

int
io_put(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
	return put_flags(dir, name, p, n, mode, RENAME_NOREPLACE, e);
}

int
io_replace(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
	return put_flags(dir, name, p, n, mode, 0, e);
}

/* The memfd that stands for a temporary file where the file system has none: its bytes under a name. */
static int
link_copy(int dir, const char *name, int fd, bool sync, struct err *e)
{
	char tmp[NAME_MAX + 1];
	uint64_t size = 0;
	AUTO_FD to = -1;
	int r;

	if ((r = tmp_name(name, tmp, sizeof(tmp), e)) < 0 || (r = io_unlink(dir, tmp, e)) < 0 ||
	    (r = io_size(fd, &size, e)) < 0)
		return r;
	if ((to = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "creating %s", tmp);
	r = io_copy(fd, 0, size, to, NULL, e);
	if (r == 0 && sync)
		r = io_sync(to, e);
	if (r == 0 && renameat2(dir, tmp, dir, name, RENAME_NOREPLACE) < 0)
		r = err_sys(e, ERR_IO, "publishing %s", name);
	if (r < 0)
		take_back(dir, tmp);
	return r;
}

static int
link_fd(int dir, const char *name, int fd, bool sync, struct err *e)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno == EXDEV)
		return link_copy(dir, name, fd, sync, e);
	return err_sys(e, ERR_IO, "publishing %s", name);
}

int
io_link_fd(int dir, const char *name, int fd, struct err *e)
{
	return link_fd(dir, name, fd, false, e);
}

int
io_put_fd(int dir, const char *name, int fd, struct err *e)
{
	int r;

	if ((r = io_sync(fd, e)) < 0 || (r = link_fd(dir, name, fd, true, e)) < 0)
		return r;
	if ((r = io_sync_dir(dir, ".", e)) < 0)
		take_back(dir, name);
	return r;
}

int
io_move(int from, const char *a, int to, const char *b, struct err *e)
{
	int r, saved;

	if (renameat2(from, a, to, b, RENAME_NOREPLACE) < 0)
		return err_sys(e, ERR_IO, "moving %s", a);
	if ((r = io_sync_dir(to, ".", e)) == 0)
		r = io_sync_dir(from, ".", e);
	if (r < 0) {
		saved = errno;
		renameat2(to, b, from, a, RENAME_NOREPLACE);
		errno = saved;
	}
	return r;
}

int
io_unlink(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "removing %s", name);
	return 0;
}

int
io_drop_temps(int dir, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		r = err_sys(e, ERR_IO, "looking for leftovers");
		io_close(&fd);
		return r;
	}
	while (r == 0 && (de = readdir(d)) != NULL) {
		size_t n = strlen(de->d_name);

		if (de->d_name[0] == '.' && n > 5 && strcmp(de->d_name + n - 4, ".tmp") == 0)
			r = io_unlink(dir, de->d_name, e);
	}
	closedir(d);
	return r;
}

int
io_remove_tree(int dir, const char *name, struct err *e)
{
	int r = 0, fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "removing %s", name);
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return err_sys(e, ERR_IO, "removing %s", name);
	}
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, de->d_name, 0) == 0)
			continue;
		if (errno == EISDIR || errno == EPERM)
			r = io_remove_tree(fd, de->d_name, e);
		else
			r = err_sys(e, ERR_IO, "removing %s", de->d_name);
	}
	closedir(d);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_sys(e, ERR_IO, "removing %s", name);
	return r;
}
