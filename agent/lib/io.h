/*
 * io.h - whole reads and writes, scope cleanup, and the durable put.
 *
 * spec: every count is checked, a short write is continued, a failed fsync is
 * never retried on the same file.  Only plain read, write and fsync touch
 * durable state, so that the fault harness sees each of them.
 */
#ifndef SEALROOM_IO_H
#define SEALROOM_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"

void io_close(int *fd);     /* sets it to -1; for AUTO_FD */
void io_free(void *pp);     /* for AUTO_FREE */
#define AUTO_FD __attribute__((cleanup(io_close))) int
#define AUTO_FREE __attribute__((cleanup(io_free)))
static inline int
take_fd(int *fd)
{
	int r = *fd;
	*fd = -1;
	return r;
}

int io_read_full(int fd, void *, size_t, struct err *);          /* EOF early: ERR_IO */
int io_pread_full(int fd, void *, size_t, uint64_t off, struct err *);
int io_write_full(int fd, const void *, size_t, struct err *);
int io_pwrite_full(int fd, const void *, size_t, uint64_t off, struct err *);
/* Appends len bytes of 'from' (at off) to 'to' (at its file offset). */
int io_copy(int from, uint64_t off, uint64_t len, int to, struct hash *, struct err *);
/*
 * In a copy of many steps, each behind the last: 'end' is how far it is.  Begins to write the last
 * step to disk and waits for the one before, so that the fsync in the end, which holds up all
 * else, finds little left to do.  An error is the same as one of fsync.
 */
int io_flush_behind(int fd, uint64_t end, uint64_t step, struct err *);
/* Some bytes of a file, written and waited for; a file system or kernel that can not leaves all to the fsync. */
int io_flush(int fd, uint64_t at, uint64_t len, struct err *);
int io_size(int fd, uint64_t *ret, struct err *);
/* The same file by a descriptor that can not write it: the caller's, or -code. */
int io_read_only(int fd, struct err *);

/* Reads a whole file of at most b->max bytes. Absent: -ERR_IO with errno ENOENT kept. */
int io_read_file(int dir, const char *name, struct buf *b, struct err *);
/*
 * False only when it is surely not there: what can not be looked at may hold a signature.
 * For where yes leads to its being opened; what is decided by it asks io_there().
 */
bool io_exists(int dir, const char *name);
int io_there(int dir, const char *name, struct err *);           /* 1, 0, -code */

int io_open_dir(int dir, const char *name, struct err *);        /* fd or -code; O_RDONLY, no symlink */
/*
 * mkdirat(2) with exactly this mode, whatever the umask: 0 or -1 with errno.  The new
 * directory keeps the setgid bit of its parent, which a chmod by somebody outside its
 * group, or in a unit with RestrictSUIDSGID=, would take away.
 */
int io_mkdir(int dir, const char *name, mode_t);
/* Each new level by io_mkdir(), and synced in its parent. */
int io_mkdir_p(int dir, const char *path, mode_t, struct err *);
int io_sync(int fd, struct err *);                               /* fsync; failure is final */
int io_sync_dir(int dir, const char *name, struct err *);

int io_memfd(const char *name, const void *, size_t, struct err *);  /* sealed against change */
int io_tmpfile(int dir, struct err *);   /* O_TMPFILE|O_RDWR 0600 below dir; memfd where the fs has none */

/*
 * put: 'name' appears below dir complete and synced, or not at all: when the
 * directory can not be synced, the name is taken back.  An existing name is
 * -ERR_IO with errno EEXIST.
 */
int io_put(int dir, const char *name, const void *, size_t, mode_t, struct err *);
/* The same for a written, not yet synced descriptor of io_tmpfile(). */
int io_put_fd(int dir, const char *name, int fd, struct err *);
/* Gives such a descriptor its name, synced not at all: for caches. */
int io_link_fd(int dir, const char *name, int fd, struct err *);
/* Replaces: temp, fsync, rename over, fsync(dir). For files that are allowed to change. */
int io_replace(int dir, const char *name, const void *, size_t, mode_t, struct err *);
/*
 * renameat2(NOREPLACE), then fsync of both directories: the step between two
 * states.  When a sync fails the name is moved back, so that the caller finds
 * it where it was and may do the step again.
 */
int io_move(int from, const char *a, int to, const char *b, struct err *);
/* Removes every ".x.tmp" below dir: puts and replacements that were cut short, never referred to. */
int io_drop_temps(int dir, struct err *);
int io_unlink(int dir, const char *name, struct err *);          /* absent is fine */
int io_remove_tree(int dir, const char *name, struct err *);     /* our own directories only */

#endif
