/*
 * oom.c - lets the n-th allocation of a program fail; to be preloaded.
 *
 * SEALROOM_OOM=N: the N-th malloc, calloc, realloc or aligned allocation of this
 * process answers that there is no memory; with SEALROOM_OOM_FROM=1 so do all behind it.
 * SEALROOM_OOM_FILE: a file of 16 bytes that holds how many there were (the largest
 * number of any process that shares it); it is mapped, so that a confined process can
 * go on counting.  Children of fork() go on from their parent's number.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *memalign(size_t, size_t);

static uint64_t count, fail_at;
static bool fail_from;
static volatile uint64_t *shared;

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("SEALROOM_OOM"), *file = getenv("SEALROOM_OOM_FILE");
	void *p;
	int fd;

	if (at == NULL || file == NULL || (fd = open(file, O_RDWR | O_CLOEXEC)) < 0)
		return;
	p = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		abort();
	shared = p;
	fail_from = getenv("SEALROOM_OOM_FROM") != NULL;
	fail_at = strtoull(at, NULL, 10);
	unsetenv("SEALROOM_OOM"); /* this program alone, not those that it starts */
	unsetenv("SEALROOM_OOM_FILE");
}

static bool
fails(void)
{
	if (shared == NULL)
		return false;
	if (++count > *shared)
		*shared = count;
	if (count != fail_at && !(fail_from && count > fail_at && fail_at > 0))
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, all);
}

void *
memalign(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

int
posix_memalign(void **ret, size_t align, size_t n)
{
	int saved = errno;
	void *p = memalign(align, n);

	errno = saved;
	if (p == NULL)
		return ENOMEM;
	*ret = p;
	return 0;
}
