#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "scan/starved.h"

static uint64_t limit = UINT64_MAX;
static bool failed;

void
starved_begin(uint64_t as_bytes)
{
	limit = as_bytes != 0 ? as_bytes : UINT64_MAX;
	failed = false;
}

bool
starved(void)
{
	return failed;
}

#ifndef SEALROOM_SANITIZE

/* glibc's, for what is asked while the next ones are looked for. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

/* The next ones in the order of loading: glibc's, or what is preloaded. */
static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
} next = { __libc_malloc, __libc_calloc, __libc_realloc, __libc_memalign };

static void
find(const char *name, void *slot)
{
	void *there = dlsym(RTLD_NEXT, name);

	if (there != NULL)
		*(void **)slot = there;
}

/* Before any other constructor of the program allocates, and long before it has threads or a document. */
__attribute__((constructor(101))) static void
find_all(void)
{
	find("malloc", &next.malloc);
	find("calloc", &next.calloc);
	find("realloc", &next.realloc);
	find("memalign", &next.memalign);
}

static void *
given(void *p, size_t n)
{
	if (p == NULL && n < limit)
		failed = true;
	return p;
}

/* Weak: a unit test has its own, which fail on purpose. */
#define OURS __attribute__((weak, visibility("default")))

OURS void *
malloc(size_t n)
{
	return given(next.malloc(n), n);
}

OURS void *
calloc(size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all))
		all = SIZE_MAX;
	return given(next.calloc(n, size), all);
}

OURS void *
realloc(void *p, size_t n)
{
	void *there = next.realloc(p, n);

	return n == 0 ? there : given(there, n); /* which freed it */
}

OURS void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, all);
}

OURS void *
memalign(size_t align, size_t n)
{
	return given(next.memalign(align, n), n);
}

OURS void *
aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

OURS int
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

#endif
