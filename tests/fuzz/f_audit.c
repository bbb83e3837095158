/*
 * f_audit.c - an archive in which one file holds anything.
 *
 * Byte 0 chooses the file.  An audit must come to an end, and must not call proven
 * what is not byte for byte what was archived.
 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/audit.h"
#include "seal/evidence/layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/sample.h"
#include "tests/unit/tmpdir.h"

#define FILES_MAX 40
#define KEEP_MAX 8192

static char path[64];
static int top;
static struct member {
	char name[256];
	uint8_t was[KEEP_MAX];
	size_t len;
} files[FILES_MAX];
static size_t nfiles;

static int
take(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	struct member *f = &files[nfiles];
	AUTO_FD fd = -1;

	(void)ftw;
	if (type != FTW_F || nfiles == FILES_MAX || st->st_size > KEEP_MAX || strstr(name, "/evidence/lock") != NULL)
		return 0;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->len = (size_t)st->st_size;
	if (chmod(name, 0600) < 0 || (fd = open(name, O_RDONLY | O_CLOEXEC)) < 0 ||
	    read(fd, f->was, f->len) != (ssize_t)f->len)
		abort();
	nfiles++;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void
leave(void)
{
	tmpdir_remove(top, path);
}

static void
put(const struct member *f, const uint8_t *data, size_t size)
{
	AUTO_FD fd = open(f->name, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
}

static void
found(void *ctx, uint32_t verdict, const char *name, const char *sentence)
{
	(void)ctx;
	FUZZ_MUST(verdict != VERDICT_PROVEN && name[0] != '\0' && sentence[0] != '\0', "a finding without words");
}

static uint32_t
audit(void)
{
	const struct audit_options opt = { .vkey = LOGKEY_VKEY, .processes = 1 };
	struct audit_result res;
	struct err e = { 0 };

	return audit_run(top, &opt, found, NULL, &res, &e) < 0 ? VERDICT_UNKNOWN : res.verdict;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	top = tmpdir_make(path);
	atexit(leave);
	sample_small(path);
	if (nftw(path, take, 8, FTW_PHYS) < 0 || nfiles == 0)
		abort();
	qsort(files, nfiles, sizeof(files[0]), by_name);
	FUZZ_MUST(audit() == VERDICT_PROVEN, "the archive is not proven as it was made");
	return 0;
}

/* The name of an earlier format beside the text of this one: a replacement that was cut short, and proven as such. */
static bool
earlier_format(const struct member *f, const uint8_t *data, size_t size)
{
	static const char first[] = LAYOUT_NAME "/1\n";
	const size_t digit = strlen(first) - 2;

	return strcmp(strrchr(f->name, '/'), "/FORMAT") == 0 && size == strlen(first) && memcmp(data, first, digit) == 0 &&
	    data[digit] >= '1' && data[digit] < '0' + (int)LAYOUT_NEWEST && data[digit + 1] == '\n';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct member *f;
	uint32_t v;

	if (size == 0)
		return 0;
	f = &files[data[0] % nfiles];
	put(f, data + 1, size - 1);
	v = audit();
	FUZZ_MUST(v != VERDICT_PROVEN || earlier_format(f, data + 1, size - 1) || (size - 1 == f->len && memcmp(data + 1, f->was, f->len) == 0),
	    "%s was changed and the archive is proven", f->name);
	fuzz_accepted();
	fuzz_planted(v == VERDICT_UNKNOWN && size > 2, data, size);
	put(f, f->was, f->len);
	return 0;
}
