/*
 * b_core.c - how long the core is held: the longest turn of its loop while a large
 * document is archived, and what a start costs with many open jobs.
 *
 *	b_core turn DIR MIB             publishes a document of MIB in DIR, in steps
 *	b_core spool STATE N [HELD]     puts N claimed and HELD held jobs into a state directory
 *	b_core log ROOM N DIRS          makes the log of a room (tests/lib.sh) N entries longer, and
 *	                                puts DIRS directories into its archive
 *	b_core audit ROOM MIB           archives and logs documents of 8 MiB each in a room
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/archive.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/loop.h"
#include "agent/spool.h"
#include "seal/anchor.h"
#include "seal/evidence/log.h"

static struct err e;

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "b_core: %s: %s\n", what, e.text);
	exit(99);
}

/* --- one large document ------------------------------------------------------------------- */

static struct loop *loop;

static void
on_published(void *ctx, const struct err *why)
{
	(void)ctx;
	if (why != NULL) {
		e = *why;
		die("publishing");
	}
	loop_stop(loop);
}

static void
turn(const char *where, unsigned long mib)
{
	static uint8_t block[1 << 20];
	struct archive_file f = { .name = "sealed.pdf" };
	struct publishing *p;
	struct archive *a;
	uint64_t t0 = clock_ms();
	int fd = open(where, O_TMPFILE | O_RDWR, 0600);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 2654435761u >> 11);
	for (unsigned long i = 0; i < mib; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			die("a large file");
	/* what is measured is the archive's own writing */
	if (fsync(fd) < 0)
		die("a large file");
	f.fd = fd;
	if (archive_open(&a, where, &e) < 0 || loop_new(&loop, &e) < 0 ||
	    archive_begin(&p, a, loop, "01jd8k3v7m2q9x4t6w8z0b5c1f", 1795340040000000, &f, 1, on_published, NULL, &e) < 0)
		die("archive");
	t0 = clock_ms();
	if (loop_run(loop, &e) < 0)
		die("loop");
	printf("%.0f %.1f\n", (double)loop_longest_us(loop) / 1000, (double)(clock_ms() - t0) / 1000);
	loop_free(loop);
	archive_free(a);
}

/* --- many open jobs ----------------------------------------------------------------------- */

static void
put_job(int spool, const char *state, unsigned long k)
{
	struct claim c = { .folder = "post", .size = 3, .received_us = 1795340040000000 + (int64_t)k, .log_size = 0,
		.salt = "00112233445566778899aabbccddeeff" };
	char path[128], source[] = "II*";
	AUTO_FD dir = -1;

	snprintf(c.id, sizeof(c.id), "01jd8k3v7m2q9x4t6w8z%06lu", k % 1000000);
	snprintf(c.name, sizeof(c.name), "brief-%lu.tif", k);
	hash_bytes(source, 3, c.hash);
	snprintf(path, sizeof(path), "%s/%s", state, c.id);
	if (io_mkdir_p(spool, path, 0700, &e) < 0 || (dir = io_open_dir(spool, path, &e)) < 0 || claim_put(dir, &c, &e) < 0 ||
	    record_put(dir, "source", source, 3, &e) < 0)
		die("a job");
	if (strcmp(state, "held") == 0) {
		static const char q[] = "{\"n\":1,\"code\":\"held-by-rule\",\"text\":\"a person must look\",\"page\":1,\"word\":\"\",\"say\":\"\","
		                        "\"rule\":\"\"}";

		if (record_put(dir, "question", q, strlen(q), &e) < 0)
			die("a question");
	}
}

static void
spool(const char *state, unsigned long claimed, unsigned long held)
{
	char path[4096];
	int dir;

	snprintf(path, sizeof(path), "%s/spool", state);
	if (io_mkdir_p(AT_FDCWD, path, 0700, &e) < 0 || (dir = io_open_dir(AT_FDCWD, path, &e)) < 0)
		die(path);
	for (unsigned long k = 0; k < claimed; k++)
		put_job(dir, "claimed", k);
	for (unsigned long k = 0; k < held; k++)
		put_job(dir, "held", claimed + k);
	close(dir);
}

/* --- a long log and a full archive -------------------------------------------------------- */

#define ORIGIN "test.example/room"
#define GROUP 4096

static void
grow(struct elog *l, struct anchor *a, struct softkey *k, unsigned long n)
{
	struct entry x = { .type = ENTRY_NOTE, .host = "bench", .software = "0" };
	uint8_t root[HASH_LEN];

	memset(x.text, 'x', 250); /* about as long as the entry of a job */
	for (unsigned long i = 1; i <= n; i++) {
		if (elog_append(l, &x, NULL, &e) < 0)
			die("an entry");
		if (i % GROUP != 0 && i != n)
			continue;
		if (elog_commit(l, &e) < 0 || elog_integrate(l, &e) < 0 || elog_root(l, elog_size(l), root, &e) < 0 ||
		    anchor_note(a, k, ORIGIN, elog_size(l), root, &e) < 0 || elog_publish(l, a->note, &e) < 0)
			die("a checkpoint");
	}
}

/* The log of a room, ready to go on, and what signs it. */
struct room {
	struct softkey *key;
	struct anchor anchor;
	struct archive *archive;
	struct elog *log;
};

static void
room_open(struct room *r, const char *room)
{
	char path[4096], vkey[SOFTKEY_VKEY_MAX];
	struct elog_anchor record = { .has = true };

	snprintf(path, sizeof(path), "%s/state/evidence.key", room);
	if (softkey_open(&r->key, path, ORIGIN, false, &e) < 0)
		die(path);
	softkey_vkey(r->key, vkey);
	snprintf(path, sizeof(path), "%s/anchor", room);
	if (anchor_open(&r->anchor, path, true, &e) < 0 || anchor_check(&r->anchor, r->key, &e) < 0)
		die(path);
	record.size = r->anchor.size;
	memcpy(record.root, r->anchor.root, HASH_LEN);
	record.note = r->anchor.note;
	snprintf(path, sizeof(path), "%s/archive", room);
	if (archive_open(&r->archive, path, &e) < 0 ||
	    elog_open(&r->log, archive_dir(r->archive), ORIGIN, false, &e) < 0 || elog_trust(r->log, vkey, &e) < 0 ||
	    elog_recover(r->log, &record, &e) < 0)
		die(path);
}

static void
room_close(struct room *r)
{
	elog_free(r->log);
	archive_free(r->archive);
	anchor_close(&r->anchor);
	softkey_free(r->key);
}

static void
longer(const char *room, unsigned long n, unsigned long dirs)
{
	struct room r;
	char name[128];
	int archive;

	room_open(&r, room);
	archive = archive_dir(r.archive);
	grow(r.log, &r.anchor, r.key, n);
	for (unsigned long i = 0; i < dirs; i++) {
		snprintf(name, sizeof(name), "2020/%02lu/%02lu", i / 28 % 12 + 1, i % 28 + 1);
		if (i < 28 * 12 && io_mkdir_p(archive, name, 0750, &e) < 0)
			die(name);
		snprintf(name + 10, sizeof(name) - 10, "/01jd8k3v7m2q9x4t6w8z%06lu", i);
		if (mkdirat(archive, name, 0750) < 0) /* nobody misses a sync here */
			die(name);
	}
	room_close(&r);
}

/* --- what an audit reads -------------------------------------------------------------------- */

#define DOCUMENT_MIB 8

static void
put_document(struct room *r, const void *bytes, unsigned long k)
{
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = "{}\n", .len = 3 },
		{ .name = "original.tif", .fd = -1, .bytes = bytes, .len = 4096 },
		{ .name = "sealed.pdf", .fd = -1, .bytes = bytes, .len = (size_t)DOCUMENT_MIB << 20 } };
	struct entry x = { .type = ENTRY_JOB, .nfiles = 3, .received_us = 1795340040000000, .host = "bench", .software = "0" };

	snprintf(x.job, sizeof(x.job), "01jd8k3v7m2q9x4t6w8z%06lu", k % 1000000);
	if (archive_publish(r->archive, x.job, x.received_us, f, 3, &e) < 0)
		die("a document");
	archive_path(x.job, x.received_us, x.path);
	for (size_t i = 0; i < 3; i++) {
		strcpy(x.files[i].name, f[i].name);
		x.files[i].size = f[i].size;
		memcpy(x.files[i].hash, f[i].hash, HASH_LEN);
	}
	if (elog_append(r->log, &x, NULL, &e) < 0)
		die("an entry");
}

static void
documents(const char *room, unsigned long mib)
{
	uint8_t *bytes = malloc((size_t)DOCUMENT_MIB << 20);
	struct room r;

	if (bytes == NULL)
		die("a document");
	for (size_t i = 0; i < (size_t)DOCUMENT_MIB << 20; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	room_open(&r, room);
	for (unsigned long k = 0; k < mib / DOCUMENT_MIB; k++)
		put_document(&r, bytes, k);
	if (archive_manifest(r.archive, "2026/11/22", &e) < 0)
		die("the manifest");
	grow(r.log, &r.anchor, r.key, 1); /* the checkpoint */
	room_close(&r);
	free(bytes);
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "turn") == 0)
		turn(argv[2], strtoul(argv[3], NULL, 10));
	else if (argc == 5 && strcmp(argv[1], "log") == 0)
		longer(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	else if (argc == 5 && strcmp(argv[1], "spool") == 0)
		spool(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	else if (argc == 4 && strcmp(argv[1], "audit") == 0)
		documents(argv[2], strtoul(argv[3], NULL, 10));
	else
		return 64;
	return 0;
}
