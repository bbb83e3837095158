/*
 * sample.h - a small archive with its log, made by the modules under test and
 * the key of logkey.h: three documents, a refusal, settings and a key.
 */
#ifndef SEALROOM_TEST_SAMPLE_H
#define SEALROOM_TEST_SAMPLE_H

#include <stdbool.h>
#include <stdlib.h>

#include "agent/archive.h"
#include "seal/evidence/log.h"
#include "tests/unit/logkey.h"

static const char *const sample_jobs[] = { "01jd8k3v7m2q9x4t6w8z0b5c1f", "01jd8k3v7m2q9x4t6w8z0b5c2g",
	"01jd8k3v7m2q9x4t6w8z0b5c3h" };
#define SAMPLE_TIME INT64_C(1795340040000000) /* 2026-11-22 09:34 UTC */
#define SAMPLE_DAY INT64_C(86400000000)

static struct elog_anchor sample_anchor;
static char sample_note[1024];

static inline void
sample_die(const struct err *e)
{
	printf("Bail out! %s\n", e->text);
	exit(99);
}

static inline void
sample_publish(struct elog *l)
{
	struct err e = { 0 };

	if (elog_commit(l, &e) < 0 || elog_integrate(l, &e) < 0)
		sample_die(&e);
	sample_anchor.has = true;
	sample_anchor.note = sample_note;
	sample_anchor.size = elog_size(l);
	if (elog_root(l, sample_anchor.size, sample_anchor.root, &e) < 0)
		sample_die(&e);
	logkey_checkpoint(sample_anchor.size, sample_anchor.root, sample_note, sizeof(sample_note));
	if (elog_publish(l, sample_note, &e) < 0)
		sample_die(&e);
}

static inline struct elog *
sample_log(const struct archive *a)
{
	struct err e = { 0 };
	struct elog *l;

	if (elog_open(&l, archive_dir(a), LOGKEY_ORIGIN, false, &e) < 0 || elog_trust(l, LOGKEY_VKEY, &e) < 0 ||
	    elog_recover(l, &sample_anchor, &e) < 0)
		sample_die(&e);
	return l;
}

static inline void
sample_append(struct elog *l, struct entry *x)
{
	struct err e = { 0 };

	x->time_us = SAMPLE_TIME;
	strcpy(x->host, "mail1");
	strcpy(x->software, "0.1.0");
	if (elog_append(l, x, NULL, &e) < 0)
		sample_die(&e);
}

/* Publishes one document and logs it. */
static inline void
sample_job(struct archive *a, struct elog *l, const char *id, int64_t received)
{
	char json[128], pdf[128];
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = json },
		{ .name = "original.tif", .fd = -1, .bytes = "II*", .len = 3 }, { .name = "sealed.pdf", .fd = -1, .bytes = pdf } };
	struct entry x = { .type = ENTRY_JOB, .nfiles = 3, .received_us = received };
	struct err e = { 0 };

	f[0].len = (size_t)snprintf(json, sizeof(json), "{\"id\":\"%s\",\"salt\":\"00\"}\n", id);
	f[2].len = (size_t)snprintf(pdf, sizeof(pdf), "%%PDF-1.7 %s\n", id);
	if (archive_publish(a, id, received, f, 3, &e) < 0)
		sample_die(&e);
	memcpy(x.job, id, ID_MAX);
	archive_path(id, received, x.path);
	for (size_t i = 0; i < 3; i++) {
		strcpy(x.files[i].name, f[i].name);
		x.files[i].size = f[i].size;
		memcpy(x.files[i].hash, f[i].hash, HASH_LEN);
	}
	sample_append(l, &x);
}

/* The documents of a stack: the number-th of its own id, made of these bytes, each a job of its own. */
#define SAMPLE_STACK "01jd8k3v7m2q9x4t6w8z0b5c5k"
static inline void
sample_part(uint32_t n, char id[ID_MAX], uint8_t hash[HASH_LEN])
{
	char pdf[32];

	id_derive(SAMPLE_STACK, n, id);
	hash_bytes(pdf, (size_t)snprintf(pdf, sizeof(pdf), "%%PDF-1.7 part %u\n", n), hash);
}

/* A stack of three: one sealed, one refused, one that nobody has decided about. */
static inline void
sample_stack(struct archive *a, struct elog *l)
{
	char list[1024], path[ARCHIVE_PATH_MAX], id[ID_MAX], hex[HASH_HEX], pdf[32];
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = "{}\n", .len = 3 },
		{ .name = "original.tif", .fd = -1, .bytes = "II*stack", .len = 8 }, { .name = "parts-sha256.txt", .fd = -1, .bytes = list } };
	struct archive_file part[] = { { .name = "job.json", .fd = -1, .bytes = "{}\n", .len = 3 },
		{ .name = "original.pdf", .fd = -1, .bytes = pdf }, { .name = "sealed.pdf", .fd = -1, .bytes = "%PDF", .len = 4 } };
	struct entry x = { .type = ENTRY_DIVIDE, .nfiles = 3, .received_us = SAMPLE_TIME, .job = SAMPLE_STACK, .text = "3 documents" };
	struct entry sealed = { .type = ENTRY_JOB, .nfiles = 3, .has_source = true, .received_us = SAMPLE_TIME };
	struct entry refused = { .type = ENTRY_REJECT, .has_source = true, .reason = "document-damaged", .received_us = SAMPLE_TIME };
	struct err e = { 0 };
	uint8_t hash[HASH_LEN];

	for (uint32_t n = 1; n <= 3; n++) {
		sample_part(n, id, hash);
		archive_path(id, SAMPLE_TIME, path);
		hash_hex(hash, hex);
		f[2].len += (size_t)snprintf(list + f[2].len, sizeof(list) - f[2].len, "%s  %s/original.pdf\n", hex, path);
	}
	if (archive_publish(a, SAMPLE_STACK, SAMPLE_TIME, f, 3, &e) < 0)
		sample_die(&e);
	sample_part(1, sealed.job, sealed.source_hash);
	sample_part(2, refused.job, refused.source_hash);
	part[1].len = (size_t)snprintf(pdf, sizeof(pdf), "%%PDF-1.7 part 1\n");
	if (archive_publish(a, sealed.job, SAMPLE_TIME, part, 3, &e) < 0)
		sample_die(&e);
	archive_path(x.job, SAMPLE_TIME, x.path);
	archive_path(sealed.job, SAMPLE_TIME, sealed.path);
	for (size_t i = 0; i < 3; i++) {
		strcpy(x.files[i].name, f[i].name);
		x.files[i].size = f[i].size;
		memcpy(x.files[i].hash, f[i].hash, HASH_LEN);
		strcpy(sealed.files[i].name, part[i].name);
		sealed.files[i].size = part[i].size;
		memcpy(sealed.files[i].hash, part[i].hash, HASH_LEN);
	}
	sample_append(l, &sealed); /* it may be quicker than its stack */
	sample_append(l, &x);
	sample_append(l, &refused);
	sample_publish(l);
}

/* start, settings and a certificate, each kept and logged. */
static inline void
sample_begin(struct elog *l)
{
	struct entry start = { .type = ENTRY_START }, config = { .type = ENTRY_CONFIG, .nfiles = 1 },
		     key = { .type = ENTRY_KEY, .nfiles = 1, .key_role = "tsa", .key_name = "t" };
	static const char conf[] = "language = \"de\";\n";
	char name[HASH_HEX + 16], hex[HASH_HEX];
	struct err e = { 0 };

	hash_bytes(conf, strlen(conf), config.config_hash);
	hash_hex(config.config_hash, hex);
	snprintf(name, sizeof(name), "config/%s.conf", hex);
	if (elog_keep(l, name, conf, strlen(conf), &config.files[0], &e) < 0 ||
	    elog_keep(l, "trust/tsa.pem", "a certificate\n", 14, &key.files[0], &e) < 0)
		sample_die(&e);
	sample_append(l, &start);
	sample_append(l, &config);
	sample_append(l, &key);
}

static inline struct archive *
sample_archive(const char *path)
{
	struct archive *a;
	struct err e = { 0 };

	memset(&sample_anchor, 0, sizeof(sample_anchor));
	if (archive_open(&a, path, &e) < 0)
		sample_die(&e);
	return a;
}

/* As small as it gets: one document, two checkpoints. */
static inline void
sample_small(const char *path)
{
	struct archive *a = sample_archive(path);
	struct elog *l = sample_log(a);

	sample_begin(l);
	sample_publish(l);
	sample_job(a, l, sample_jobs[0], SAMPLE_TIME);
	sample_publish(l);
	elog_free(l);
	archive_free(a);
}

/* 'filler' notes are logged first, to make a log of more than one tile. */
static inline void
sample_make(const char *path, int filler)
{
	struct entry reject = { .type = ENTRY_REJECT, .job = "01jd8k3v7m2q9x4t6w8z0b5c4j", .reason = "document-damaged" },
		     note = { .type = ENTRY_NOTE, .text = "filler" }, stop = { .type = ENTRY_STOP, .reason = "signal" };
	struct archive *a = sample_archive(path);
	struct elog *l = sample_log(a);

	sample_begin(l);
	sample_publish(l);
	for (int i = 0; i < filler; i++) {
		sample_append(l, &note);
		if (i % 100 == 99)
			sample_publish(l);
	}
	sample_job(a, l, sample_jobs[0], SAMPLE_TIME);
	sample_job(a, l, sample_jobs[1], SAMPLE_TIME);
	sample_publish(l);
	sample_append(l, &reject);
	sample_job(a, l, sample_jobs[2], SAMPLE_TIME + SAMPLE_DAY);
	sample_publish(l);
	sample_append(l, &stop);
	sample_publish(l);
	elog_free(l);
	archive_free(a);
}

#endif
