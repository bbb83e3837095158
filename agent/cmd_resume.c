/*
 * sealroom evidence resume --after-restore --reason TEXT - a person's word that
 * the log goes on after a restore from backup (agent/resume.h).  Nothing is
 * written to the log here: the daemon does that at its next start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/log.h"
#include "seal/evidence/note.h"

#include "agent/cmd.h"
#include "agent/messages.h"
#include "agent/resume.h"
#include "agent/spool.h"

#define RECORD_FILE "checkpoint" /* of evidence.anchor; sealroom-seal(8) */

/* Who sits at the keyboard, also behind sudo and su. */
static uint32_t
login_uid(void)
{
	struct err ignored;
	unsigned long uid;
	AUTO_BUF b;

	buf_init(&b, 32);
	if (io_read_file(AT_FDCWD, "/proc/self/loginuid", &b, &ignored) < 0)
		return getuid();
	buf_put_u8(&b, 0);
	uid = strtoul((const char *)b.data, NULL, 10);
	return uid < UINT32_MAX ? (uint32_t)uid : getuid();
}

/* The anti-rollback record; its signature is for the log's key to judge. */
static int
read_record(const struct conf *conf, struct resume *r, struct elog_anchor *a, struct err *e)
{
	struct checkpoint cp;
	const char *end;
	AUTO_FD dir = -1;
	AUTO_BUF b = { 0 };
	int rc;

	*a = (struct elog_anchor){ .note = "" };
	if ((rc = io_mkdir_p(AT_FDCWD, conf->evidence.anchor, 0700, e)) < 0 ||
	    (dir = rc = io_open_dir(AT_FDCWD, conf->evidence.anchor, e)) < 0)
		return rc;
	if (!io_exists(dir, RECORD_FILE))
		return 0;
	buf_init(&b, NOTE_MAX);
	if ((rc = io_read_file(dir, RECORD_FILE, &b, e)) < 0)
		return rc;
	end = b.len == 0 ? NULL : memmem(b.data, b.len, "\n\n", 2);
	if (end == NULL || checkpoint_parse((const char *)b.data, (size_t)(end + 1 - (const char *)b.data), &cp, e) < 0 ||
	    strcmp(cp.origin, conf->evidence.origin) != 0)
		return err_set(e, ERR_LOG, "the record in %s is damaged or of another log; bring it back from a copy, or move it away",
		    conf->evidence.anchor);
	a->has = r->has_record = true;
	a->size = r->record_size = cp.size;
	memcpy(a->root, cp.root, HASH_LEN);
	memcpy(r->record_root, cp.root, HASH_LEN);
	return 0;
}

/* Both sides, read as the daemon will read them; -ERR_USAGE when they agree. */
static int
look(const struct conf *conf, struct resume *r, struct err *e)
{
	struct elog_anchor a;
	struct elog *l = NULL;
	AUTO_FD dir = io_open_dir(AT_FDCWD, conf->archive.path, e);
	int rc = dir;

	if (rc < 0 || (rc = elog_open(&l, dir, conf->evidence.origin, false, e)) < 0)
		return rc;
	r->disk_size = elog_size(l);
	if ((rc = elog_root(l, r->disk_size, r->disk_root, e)) == 0 && (rc = read_record(conf, r, &a, e)) == 0) {
		rc = elog_check_anchor(l, &a, e);
		if (rc == 0)
			rc = err_set(e, ERR_USAGE, "log and anti-rollback record agree: there is nothing to resume");
		else if (rc == -ERR_LOG_ROLLBACK)
			rc = 0;
	}
	elog_free(l);
	return rc;
}

static int
write_word(const struct conf *conf, const struct resume *r, struct err *e)
{
	AUTO_FREE char *text = resume_text(r);
	AUTO_FD dir = io_open_dir(AT_FDCWD, conf->evidence.anchor, e);

	if (dir < 0)
		return dir;
	if (text == NULL)
		return err_set(e, ERR_MEM, "resume");
	if (strlen(text) >= MSG_RESUME_MAX)
		return err_set(e, ERR_USAGE, "the reason is too long");
	return io_replace(dir, RESUME_FILE, text, strlen(text), 0600, e);
}

static void
print_head(const char *title, bool has, uint64_t size, const uint8_t root[HASH_LEN])
{
	char hex[HASH_HEX];

	hash_hex(root, hex);
	if (has)
		printf("  %-24s %llu  %s\n", title, (unsigned long long)size, hex);
	else
		printf("  %-24s -\n", title);
}

static int
report(const struct cmd_args *a, const struct conf *conf, const struct resume *r)
{
	const char *lang = conf->language;
	AUTO_FREE char *text = NULL;

	if (a->json) {
		text = resume_text(r);
		return cmd_json(text == NULL ? NULL : json_loads(text, 0, NULL));
	}
	message_open(NULL);
	print_head(message_get(lang, N_("the log on disk:")), true, r->disk_size, r->disk_root);
	print_head(message_get(lang, N_("anti-rollback record:")), r->has_record, r->record_size, r->record_root);
	if (r->has_record && r->record_size > r->disk_size)
		printf("%llu %s\n", (unsigned long long)(r->record_size - r->disk_size),
		    message_get(lang, N_("entries of the log are lost, unless a newer copy of the archive is found.")));
	printf("%s\n", message_get(lang, N_("At its next start sealroomd writes this into the log as an entry of type "
	    "break and goes on from there. Until then a newer copy can still be brought back; this word is void then.")));
	return cmd_done(EX_OK);
}

/* Under the daemon's lock: it must not run, and not be started meanwhile. */
static int
resume(const struct conf *conf, struct resume *r, struct err *e)
{
	struct spool spool;
	int rc = spool_open(&spool, conf, e);

	if (rc == -ERR_LOCKED)
		return err_set(e, ERR_LOCKED, "sealroomd is running with this state: stop it first");
	if (rc < 0)
		return rc;
	if ((rc = look(conf, r, e)) == 0)
		rc = write_word(conf, r, e);
	spool_close(&spool);
	return rc;
}

int
cmd_evidence_resume(struct cmd_args *a)
{
	const char *reason = NULL;
	bool restored = cmd_flag(a, "--after-restore");
	struct resume r = { .uid = login_uid() };
	struct err e = { 0 };
	struct conf *conf;
	int rc;

	if (cmd_option(a, "--reason", &reason) < 0 || a->argc != 2 || !restored || reason == NULL || *reason == '\0')
		return cmd_usage(a);
	if (strlen(reason) >= sizeof(r.reason) || !utf8_valid(reason, strlen(reason)) || strpbrk(reason, "\r\n") != NULL) {
		err_set(&e, ERR_USAGE, "the reason must be one line of at most %zu bytes", sizeof(r.reason) - 1);
		return cmd_fail(a, &e);
	}
	if (geteuid() == 0) {
		err_set(&e, ERR_USAGE, "run it as sealroom's own user: sudo -u sealroom sealroom evidence resume ...");
		return cmd_fail(a, &e);
	}
	memcpy(r.reason, reason, strlen(reason) + 1);
	if ((rc = cmd_conf(a, &conf)) != 0)
		return rc;
	rc = resume(conf, &r, &e) < 0 ? cmd_fail(a, &e) : report(a, conf, &r);
	conf_free(conf);
	return rc;
}
