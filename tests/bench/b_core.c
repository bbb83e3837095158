/*
 * b_core.c - how long the core is held: the longest turn of its loop while a large
 * document is archived, and what a start costs with many open jobs.
 *
 *	b_core turn DIR MIB             publishes a document of MIB in DIR, in steps
 *	b_core spool STATE N [HELD]     puts N claimed and HELD held jobs into a state directory
 *	b_core log ROOM N DIRS          makes the log of a room (tests/lib.sh) N entries longer, and
 *	                                puts DIRS directories into its archive
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

static void
longer(const char *room, unsigned long n, unsigned long dirs)
{
	char path[4096], vkey[SOFTKEY_VKEY_MAX], name[128];
	struct elog_anchor record = { .has = true };
	struct softkey *k;
	struct anchor a;
	struct elog *l;
	int archive;

	snprintf(path, sizeof(path), "%s/state/evidence.key", room);
	if (softkey_open(&k, path, ORIGIN, false, &e) < 0)
		die(path);
	softkey_vkey(k, vkey);
	snprintf(path, sizeof(path), "%s/anchor", room);
	if (anchor_open(&a, path, true, &e) < 0 || anchor_check(&a, k, &e) < 0)
		die(path);
	record.size = a.size;
	memcpy(record.root, a.root, HASH_LEN);
	record.note = a.note;
	snprintf(path, sizeof(path), "%s/archive", room);
	if ((archive = io_open_dir(AT_FDCWD, path, &e)) < 0 || elog_open(&l, archive, ORIGIN, false, &e) < 0 ||
	    elog_trust(l, vkey, &e) < 0 || elog_recover(l, &record, &e) < 0)
		die(path);
	grow(l, &a, k, n);
	for (unsigned long i = 0; i < dirs; i++) {
		snprintf(name, sizeof(name), "2020/%02lu/%02lu", i / 28 % 12 + 1, i % 28 + 1);
		if (i < 28 * 12 && io_mkdir_p(archive, name, 0750, &e) < 0)
			die(name);
		snprintf(name + 10, sizeof(name) - 10, "/01jd8k3v7m2q9x4t6w8z%06lu", i);
		if (mkdirat(archive, name, 0750) < 0) /* nobody misses a sync here */
			die(name);
	}
	elog_free(l);
	anchor_close(&a);
	softkey_free(k);
	close(archive);
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
	else
		return 64;
	return 0;
}
