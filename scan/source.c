#include <sys/mman.h>

#include "agent/lib/io.h"

#include "scan/source.h"

int
source_open(struct source *s, int fd, struct err *e)
{
	*s = (struct source){ .fd = fd };
	if (fd < 0)
		return err_set(e, ERR_PEER, "no document was handed over");
	return io_size(fd, &s->size, e);
}

int
source_map(struct source *s, struct err *e)
{
	void *p;

	if (s->map != NULL)
		return 0;
	if (s->size == 0)
		return err_set(e, ERR_DOC_EMPTY, "the file is empty");
	p = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, s->fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, ERR_MEM, "map the document");
	s->map = p;
	return 0;
}

int
source_read(const struct source *s, void *dst, size_t len, uint64_t off, struct err *e)
{
	if (off > s->size || len > s->size - off)
		return err_set(e, ERR_DOC_INCOMPLETE, "the file ends at byte %llu, but its data goes on",
		    (unsigned long long)s->size);
	return io_pread_full(s->fd, dst, len, off, e);
}

void
source_done(struct source *s)
{
	if (s->map != NULL)
		munmap((void *)(uintptr_t)s->map, s->size);
	s->map = NULL;
}
