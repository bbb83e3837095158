#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/layout.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define ID "01jd8k3v7m2q9x4t6w8z0b5c1f"
#define PLACE "2026/11/22/" ID

static int
run(const char *path, const char *cmd)
{
	char all[2048];

	snprintf(all, sizeof(all), "cd %s && { %s; } >/dev/null 2>&1", path, cmd);
	return system(all);
}

static mode_t
mode_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode & 07777;
}

static void
test_open(int dir, const char *path)
{
	struct archive *a, *b;
	struct err e = { 0 };

	CHECK(archive_open(&a, path, &e) == 0, "an empty directory becomes an archive (%s)", e.text);
	CHECK(io_exists(dir, "README.txt") && io_exists(dir, "FORMAT"), "it explains itself");
	CHECK(archive_open(&b, path, &e) == -ERR_LOCKED, "one writer: %s", e.text);
	archive_free(a);
	CHECK(archive_open(&a, path, &e) == 0, "opened again (%s)", e.text);
	archive_free(a);
	CHECK(run(path, "rm -f FORMAT") == 0 && archive_open(&a, path, &e) == 0, "an interrupted first start is finished (%s)", e.text);
	archive_free(a);
	CHECK(run(path, "rm -f FORMAT && mkdir 2026") == 0 && archive_open(&a, path, &e) == -ERR_ARCHIVE, "documents without FORMAT: %s",
	    e.text);
	CHECK(run(path, "rmdir 2026 && rm -f FORMAT && echo sealroom-archive/9 > FORMAT") == 0 && archive_open(&a, path, &e) == -ERR_ARCHIVE,
	    "a newer format: %s", e.text);
	CHECK(archive_open(&a, "/nonexistent", &e) == -ERR_IO, "%s", e.text);
}

static void
test_publish(int dir, const char *path)
{
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = "{}", .len = 2 },
		{ .name = "original.tif", .fd = open("Makefile", O_RDONLY | O_CLOEXEC) },
		{ .name = "sealed.pdf", .fd = -1, .bytes = "abc", .len = 3 } };
	struct archive_file bad = { .name = "../x", .fd = -1, .bytes = "", .len = 0 };
	struct archive *a;
	struct err e = { 0 };
	char hex[HASH_HEX];

	if (f[1].fd < 0 || archive_open(&a, path, &e) < 0)
		exit(99);
	umask(077);
	CHECK(archive_has(a, ID, SAMPLE_TIME, &e) == 0, "not there yet");
	CHECK(archive_publish(a, ID, SAMPLE_TIME, f, 3, &e) == 0, "published (%s)", e.text);
	CHECK(archive_has(a, ID, SAMPLE_TIME, &e) == 1, "there");
	hash_hex(f[2].hash, hex);
	CHECK(f[2].size == 3 && strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0,
	    "size and hash come back (FIPS 180)");
	CHECK(run(path, "cmp " PLACE "/original.tif $OLDPWD/Makefile") == 0, "bytes as they were");
	CHECK(mode_of(dir, PLACE "/sealed.pdf") == 0440 && mode_of(dir, PLACE) == 0750 && mode_of(dir, "2026/11") == 0750,
	    "files 0440 in directories 0750, whatever the umask");
	CHECK(run(path, "cd 2026/11/22 && sha256sum --strict -c manifest-sha256.txt && test $(wc -l < manifest-sha256.txt) = 3") == 0,
	    "sha256sum accepts the manifest");
	CHECK(archive_publish(a, ID, SAMPLE_TIME, f, 3, &e) == 0, "the same again is success (%s)", e.text);
	CHECK(run(path, "test -z \"$(ls .new)\" && test $(wc -l < 2026/11/22/manifest-sha256.txt) = 3") == 0, "and leaves nothing behind");
	f[2].bytes = "abd";
	CHECK(archive_publish(a, ID, SAMPLE_TIME, f, 3, &e) == -ERR_ARCHIVE, "other bytes: %s", e.text);
	CHECK(archive_publish(a, ID, SAMPLE_TIME, f, 2, &e) == -ERR_ARCHIVE, "fewer files: %s", e.text);
	CHECK(archive_publish(a, ID, SAMPLE_TIME, &bad, 1, &e) == -ERR_ARCHIVE, "odd names: %s", e.text);
	CHECK(archive_publish(a, "../../../../etc/cron.d/xxxx", SAMPLE_TIME, f, 3, &e) == -ERR_ARCHIVE, "odd ids: %s", e.text);
	CHECK(run(path, "test \"$(cat " PLACE "/sealed.pdf)\" = abc && test -z \"$(ls .new)\"") == 0, "what was archived stays");
	close(f[1].fd);
	archive_free(a);
}

/* The manifest is rebuilt, kept in order, and mended. */
static void
test_manifest(int dir, const char *path)
{
	struct archive_file f = { .name = "job.json", .fd = -1, .bytes = "{}", .len = 2 };
	struct archive *a;
	struct err e = { 0 };

	(void)dir;
	if (archive_open(&a, path, &e) < 0)
		exit(99);
	for (int i = 2; i >= 0; i--)
		if (archive_publish(a, sample_jobs[i], SAMPLE_TIME, &f, 1, &e) < 0)
			sample_die(&e);
	CHECK(run(path, "cd 2026/11/22 && sha256sum -c manifest-sha256.txt && sort -k2 -c manifest-sha256.txt && cp manifest-sha256.txt ../m") == 0,
	    "in order, whatever the order of jobs");
	CHECK(run(path, "rm -f 2026/11/22/manifest-sha256.txt") == 0 && archive_manifest(a, "2026/11/22", &e) == 0 &&
	          run(path, "cmp 2026/11/22/manifest-sha256.txt 2026/11/m") == 0,
	    "made anew from what is there");
	archive_free(a);
	CHECK(run(path, "rm -f 2026/11/22/manifest-sha256.txt && echo rubbish > 2026/11/22/manifest-sha256.txt") == 0 &&
	          archive_open(&a, path, &e) == 0 && archive_publish(a, sample_jobs[1], SAMPLE_TIME, &f, 1, &e) == 0 &&
	          run(path, "cmp 2026/11/22/manifest-sha256.txt 2026/11/m") == 0,
	    "rubbish is replaced");
	CHECK(archive_orphan(a, "2026/11/22", sample_jobs[1], &e) == 0 && archive_manifest(a, "2026/11/22", &e) == 0 &&
	          run(path, "test -d .orphans/*2g && ! test -d 2026/11/22/*2g && cd 2026/11/22 && sha256sum -c manifest-sha256.txt") == 0,
	    "what nobody knows is put aside, never deleted (%s)", e.text);
	CHECK(archive_manifest(a, "2031/01/01", &e) == 0, "a day without documents has none");
	archive_free(a);
}

/* A start after a crash: leftovers of publishing go, and the same call succeeds. */
static void
test_crash(int dir, const char *path)
{
	struct archive_file f = { .name = "job.json", .fd = -1, .bytes = "{}", .len = 2 };
	struct archive *a;
	struct err e = { 0 };

	if (archive_open(&a, path, &e) < 0)
		exit(99);
	archive_free(a);
	CHECK(run(path, "mkdir -p .new/" ID " .new/x 2026/11 && touch .new/" ID "/job.json") == 0, "half-built");
	CHECK(archive_open(&a, path, &e) == 0 && run(path, "test -z \"$(ls .new)\"") == 0, "removed by the next start");
	CHECK(archive_publish(a, ID, SAMPLE_TIME, &f, 1, &e) == 0 && io_exists(dir, PLACE "/job.json"), "published (%s)", e.text);
	archive_free(a);
}

/* The recipe in README.txt, run as it stands there by the shells of this system. */
static void
test_recipe(int dir, const char *path)
{
	static const char get[] = "sed -n '/^#!\\/bin\\/sh/,/^# end of check/p' README.txt > $W.sh";
	static const struct {
		const char *what, *cmd, *undo;
	} cases[] = {
		{ "a changed document", "f=$(echo 2026/11/23/*/sealed.pdf); cp $f x; chmod u+w $f; echo >> $f", "mv -f x $f" },
		{ "a document too many", "mkdir 2026/11/22/z", "rmdir 2026/11/22/z" },
		{ "a document too few", "mv 2026/11/23 x", "mv x 2026/11/23" },
		{ "a changed entry", "f=evidence/log/tile/entries/000.p/8; cp $f x; chmod u+w $f; sed -i s/mail1/mail2/ $f", "mv -f x $f" },
		{ "a changed head", "f=evidence/log/checkpoint; cp $f x; chmod u+w $f; sed -i 2s/8/7/ $f", "mv -f x $f" },
		{ "a missing bundle", "mv evidence/log/tile/entries/000.p/8 x", "mv x evidence/log/tile/entries/000.p/8" },
	};
	char cmd[1024];

	sample_make(path, 254);
	(void)dir;
	snprintf(cmd, sizeof(cmd), "W=%s; %s && dash $W.sh | grep '^RIGHT: 262 entries, 3 documents, log " LOGKEY_ORIGIN "$'", path, get);
	CHECK(run(path, cmd) == 0, "the script in README.txt proves an archive of two bundles");
	if (run(path, "chmod -R u+w . && rm -r 2026 evidence FORMAT") != 0)
		exit(99);
	sample_make(path, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(cmd, sizeof(cmd), "W=%s; %s; sh $W.sh && r=1 || r=0; %s; exit $r", path, cases[i].cmd, cases[i].undo);
		CHECK(run(path, cmd) == 0, "and finds %s", cases[i].what);
	}
	snprintf(cmd, sizeof(cmd), "W=%s; sh $W.sh && rm $W.sh", path);
	CHECK(run(path, cmd) == 0, "all undone, it proves it again");
}

int
main(void)
{
	static void (*const tests[])(int, const char *) = { test_open, test_publish, test_manifest, test_crash, test_recipe };
	char path[64];
	int dir;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		dir = tmpdir_make(path);
		tests[i](dir, path);
		tmpdir_remove(dir, path);
	}
	return TEST_DONE();
}
