/*
 * hot.h - a hot folder is not ours: opening what others put there.
 *
 * Whatever lies below a hot folder is opened relative to a descriptor of it,
 * never through a link, never on another mount, never waiting for a peer
 * (a FIFO), and is looked at before it is believed.  Shared by watch.c,
 * intake.c and deliver.c.
 */
#ifndef SEALROOM_HOT_H
#define SEALROOM_HOT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "agent/lib/err.h"
#include "rules/conf.h"

/* What tells two states of one file apart while we look (durability 1: not the delivery's identity). */
struct hot_stamp {
	dev_t dev;
	ino_t ino;
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
};
void hot_stamp(const struct stat *, struct hot_stamp *ret);
bool hot_same(const struct hot_stamp *, const struct hot_stamp *);

/* May anybody but its owner write it?  Where there is an ACL, the bits of the group are the most that it gives anyone. */
bool hot_others_write(const struct stat *);

/*
 * Opens a regular file for reading: the descriptor, or -ERR_IO with errno.  EINVAL: no
 * regular file, or no plain name; ELOOP: a link; EXDEV: another mount; all else as of open().
 */
int hot_open_file(int dir, const char *name, struct stat *ret, struct err *);
/*
 * The same for what somebody has put there.  Where fs.protected_hardlinks is off that may be a second
 * name of a file that is ours and that nobody else may read, a PIN for one: errno EPERM.
 */
int hot_open_arrival(int dir, const char *name, struct stat *ret, struct err *);
/*
 * Opens the sub-folder 'word' (in-arbeit, done, in-arbeit/HOST ...), making it
 * when it is not there: mode 0770, group and setgid bit inherited from the folder.
 */
int hot_open_sub(int dir, const char *word, struct err *);

/*
 * Renames without replacing: 0, or -1 with errno.  NFS and many a FUSE file
 * system know no such thing; there the name is looked for first.  Of several who
 * rename the same file one succeeds, there too.
 */
int hot_rename(int from, const char *a, int to, const char *b);
/* The same for a file that nobody else takes: where there are links, never replacing, in no moment. */
int hot_publish(int dir, const char *temp, const char *name);

/*
 * A name that is free in dir: this one, or with a number, "Brief (2).tif"; "" when
 * there is none.  taken() says which are to count as not free, too; NULL: no others.
 */
typedef bool hot_taken(void *ctx, const char *name);
void hot_free_name(int dir, const char *name, hot_taken *taken, void *ctx, char ret[NAME_MAX + 1]);

/* Names that senders use while they still write: leading dot, "~$", .tmp .part .partial .filepart .crdownload */
bool hot_ignored(const char *name);
/* The sub-folders and status files that are ours. */
bool hot_ours(const struct conf_folder *, const char *name);

/*
 * Asks for a read lease, which nobody gets while a file is open for writing.
 * HOT_QUIET: taken, and held until hot_unlease() or the descriptor is closed.
 * HOT_UNKNOWN: not our file and no CAP_LEASE, or a file system without leases.
 */
enum hot_lease { HOT_QUIET, HOT_WRITER, HOT_UNKNOWN };
enum hot_lease hot_lease(int fd);
/* True when the lease is gone or a writer waits for us to let go of it. */
bool hot_lease_broken(int fd);
void hot_unlease(int fd);

/*
 * Network and FUSE: writers elsewhere are not seen, inotify is silent.  Returns
 * the file system's name, or NULL when the folder counts as local; poll = "always"
 * and "never" overrule its type.  NULL for the folder: the type alone counts.
 */
const char *hot_remote(const struct conf_folder *, int dir);
#define HOT_SETTLE_MS 10000 /* where the settings say nothing */
#define HOT_SETTLE_REMOTE_MS 30000
#define HOT_POLL_MS 30000
#define HOT_POLL_REMOTE_MS 10000

#endif
