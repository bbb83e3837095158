/*
 * tmpdir.h - a directory for one test, in memory where that is possible.
 */
#ifndef SEALROOM_TEST_TMPDIR_H
#define SEALROOM_TEST_TMPDIR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes it, writes its path, returns a descriptor of it. */
static inline int
tmpdir_make(char path[64])
{
	int fd;

	strcpy(path, "/dev/shm/sealroom-test.XXXXXX");
	if (mkdtemp(path) == NULL) {
		strcpy(path, "/tmp/sealroom-test.XXXXXX");
		if (mkdtemp(path) == NULL)
			exit(99);
	}
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		exit(99);
	return fd;
}

static inline void
tmpdir_remove(int fd, const char *path)
{
	char cmd[192];

	close(fd);
	snprintf(cmd, sizeof(cmd), "chmod -R u+w %s && rm -r %s", path, path);
	if (system(cmd) != 0)
		exit(99);
}

#endif
