/*
 * oom.c - lets an allocation of a program fail; to be preloaded.
 *
 * Thousands of allocations lie between two lines of a program, most of them a library's.
 * What the program sees of them is one call that fails.  So they are folded by call stack:
 * the innermost return addresses in the program itself, hashed.  Such a stack is found
 * again whatever comes before it, in any process of the program, in the next run of the
 * same build.
 *
 * SEALROOM_OOM_FILE: a file of 1 MiB, mapped by all processes of the program, that
 * confined ones can go on writing to.  It has, as 64-bit numbers of this machine, how many
 * allocations there were and how many failed here, then for each stack its hash and its
 * number of allocations (an open hash table; hash 0: a free place).
 *
 * SEALROOM_OOM=HASH-N: the N-th allocation of this stack answers that there is no memory.
 * With SEALROOM_OOM_FROM=1 so do all behind it in that process and its children, and
 * another process of the program begins to starve where it comes to this stack.
 * SEALROOM_OOM=0-0 counts only.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#define FILE_SIZE ((size_t)1 << 20)
#define SLOTS (FILE_SIZE / 16 - 1)
#define FRAMES_MAX 16

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *memalign(size_t, size_t);

static struct table {
	_Atomic uint64_t allocations, failed;
	struct slot {
		_Atomic uint64_t stack, n;
	} slot[SLOTS];
} *table;
static uint64_t fail_stack, fail_at;
static bool fail_from, starves;

/* The program's frames of one stack: where on the stack their return addresses lie, and what they are. */
struct frames {
	uint64_t hash;
	int n;
	const uintptr_t *slot[FRAMES_MAX];
	uintptr_t at[FRAMES_MAX];
};

/* The program is the one object without a name; where it lies differs from run to run. */
static _Unwind_Reason_Code
add_frame(struct _Unwind_Context *context, void *arg)
{
	uintptr_t at = _Unwind_GetIP(context);
	struct dl_find_object object;
	struct frames *f = arg;

	if (f->n == FRAMES_MAX || at == 0 || _dl_find_object((void *)at, &object) != 0)
		return _URC_END_OF_STACK;
	if (object.dlfo_link_map->l_name[0] != '\0')
		return _URC_NO_REASON;
	f->slot[f->n] = (const uintptr_t *)_Unwind_GetCFA(context) - 1;
	f->at[f->n++] = at;
	at -= (uintptr_t)object.dlfo_map_start;
	for (size_t i = 0; i < sizeof(at); i++, at >>= 8)
		f->hash = (f->hash ^ (at & 0xff)) * 0x100000001b3; /* FNV-1a */
	return _URC_NO_REASON;
}

/* A model of half a million allocations is loaded by one line: it is not unwound each time. */
static uint64_t
own_stack(uintptr_t caller, uintptr_t sp)
{
	static struct known {
		uintptr_t caller, sp;
		struct frames f;
	} known[4096];
	struct known *k = &known[(caller ^ caller >> 12 ^ sp >> 4) % (sizeof(known) / sizeof(known[0]))];
	bool same = k->caller == caller && k->sp == sp;

	for (int i = 0; same && i < k->f.n; i++)
		same = *k->f.slot[i] == k->f.at[i];
	if (!same) {
		*k = (struct known){ caller, sp, { .hash = 0xcbf29ce484222325 } };
		_Unwind_Backtrace(add_frame, &k->f);
	}
	return k->f.hash;
}

/* How many there were of this stack, in all processes, with this one. */
static uint64_t
count(uint64_t stack)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &table->slot[(stack + i) % SLOTS];
		uint64_t there = 0;

		if (atomic_compare_exchange_strong(&s->stack, &there, stack) || there == stack)
			return ++s->n;
	}
	abort(); /* more stacks than a program has */
}

static bool
is_wanted(uintptr_t caller, uintptr_t sp)
{
	uint64_t stack, n;

	if (starves)
		return true;
	table->allocations++;
	stack = own_stack(caller, sp);
	n = count(stack);
	if (stack != fail_stack || (fail_from ? n < fail_at : n != fail_at))
		return false;
	starves = fail_from;
	return true;
}

static inline __attribute__((always_inline)) bool
fails(void)
{
	if (table == NULL || !is_wanted((uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0)))
		return false;
	table->failed++;
	errno = ENOMEM;
	return true;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *which = getenv("SEALROOM_OOM"), *file = getenv("SEALROOM_OOM_FILE");
	char *end;
	void *p;
	int fd;

	if (which == NULL || file == NULL || (fd = open(file, O_RDWR | O_CLOEXEC)) < 0)
		return;
	p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		abort();
	fail_from = getenv("SEALROOM_OOM_FROM") != NULL;
	fail_stack = strtoull(which, &end, 16);
	fail_at = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
	unsetenv("SEALROOM_OOM"); /* this program alone, not those that it starts */
	unsetenv("SEALROOM_OOM_FILE");
	table = p;
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
	return fails() ? NULL : __libc_realloc(p, all);
}

void *
memalign(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

int
posix_memalign(void **ret, size_t align, size_t n)
{
	int saved = errno;
	void *p = fails() ? NULL : __libc_memalign(align, n);

	errno = saved;
	if (p == NULL)
		return ENOMEM;
	*ret = p;
	return 0;
}
