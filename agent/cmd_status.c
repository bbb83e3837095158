/*
 * sealroom status - folders, jobs, tokens, log and space, as the daemon sees them;
 * when it is not running, the jobs that lie in the spool (exit status 69).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/cmd.h"
#include "agent/control.h"
#include "agent/messages.h"
#include "agent/outcome.h"
#include "agent/status.h"

static const char *language = "en";

static const char *
t(const char *english)
{
	return message_get(language, english);
}

/* --- values of the answer ---------------------------------------------------------------- */

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static long long
number_of(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* --- a table for people ------------------------------------------------------------------ */

/* A cell, at least 'width' characters wide, with nothing in it that moves the cursor. */
static void
cell(const char *text, size_t width)
{
	char shown[2048];
	const char *s = shown, *end;
	size_t n = 0;

	path_display(text, shown, sizeof(shown));
	for (end = shown + strlen(shown); s < end; n++)
		utf8_next(&s, end);
	printf("%s%*s", shown, n < width ? (int)(width - n) : 0, "");
}

static void
size_text(long long bytes, char *dst, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	snprintf(dst, size, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

static void
print_folder(const json_t *f)
{
	static const struct {
		const char *key, *word;
	} counts[] = {
		{ "waiting", N_("arriving") },
		{ "later", N_("put off") },
		{ "busy", N_("being taken in") },
		{ "ignored", N_("ignored") },
		{ "odd", N_("left alone") },
		{ "more", N_("more") },
	};
	const char *comma = "";

	printf("  ");
	cell(text_of(f, "name"), 16);
	printf(" ");
	cell(text_of(f, "path"), 32);
	printf(" ");
	if (!json_is_true(json_object_get(f, "there"))) {
		printf("%s: ", t(json_is_true(json_object_get(f, "locked")) ? N_("ANOTHER AGENT'S") : N_("NOT THERE")));
		cell(text_of(f, "why"), 0);
	} else if (json_is_true(json_object_get(f, "polled"))) {
		printf("%s", t(N_("polled")));
		comma = ", ";
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (number_of(f, counts[i].key) > 0) {
			printf("%s%lld %s", comma, number_of(f, counts[i].key), t(counts[i].word));
			comma = ", ";
		}
	printf("\n");
}

/* What a job does: the daemon's word, else its state. */
static const char *
step_word(const json_t *j)
{
	static const struct {
		const char *word, *shown;
	} steps[] = {
		{ "waiting", N_("waiting") },
		{ "inspecting", N_("being looked at") },
		{ "reading", N_("being read") },
		{ "composing", N_("being composed") },
		{ "sealing", N_("being sealed") },
		{ "time-stamping", N_("being time-stamped") },
		{ "archiving", N_("being archived") },
		{ "logging", N_("being logged") },
		{ "delivering", N_("being delivered") },
		{ "refusing", N_("being refused") },
		{ "held", N_("held") },
	};
	const char *step = text_of(j, "step");

	if (*step == '\0')
		step = text_of(j, "state");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(steps[i].word, step) == 0)
			return t(steps[i].shown);
	return step;
}

static void
print_job(const json_t *j)
{
	printf("  %s  ", text_of(j, "id"));
	cell(text_of(j, "folder"), 12);
	printf(" ");
	cell(text_of(j, "name"), 28);
	printf(" ");
	cell(step_word(j), 0);
	if (number_of(j, "of") > 0 && number_of(j, "done") < number_of(j, "of"))
		printf(" %lld/%lld", number_of(j, "done"), number_of(j, "of"));
	if (*text_of(j, "why") != '\0') {
		printf(": ");
		cell(text_of(j, "why"), 0);
		printf(": ");
		cell(text_of(j, "text"), 0);
	}
	printf("\n");
}

static void
print_token(const json_t *k)
{
	printf("  ");
	cell(text_of(k, "name"), 16);
	printf(" %s", t(json_is_true(json_object_get(k, "stopped")) ? N_("STOPPED") :
	                json_is_true(json_object_get(k, "ready"))   ? N_("ready") :
	                                                              N_("not ready")));
	if (*text_of(k, "subject") != '\0') {
		printf("  ");
		cell(text_of(k, "subject"), 0);
		printf(", %s %.10s", t(N_("valid until")), text_of(k, "not_after"));
	}
	if (*text_of(k, "why") != '\0') {
		printf("  ");
		cell(text_of(k, "text"), 0);
	}
	printf("\n");
}

/* The other programs are worth a line when something is or was wrong with them. */
static json_t *
troubled(const json_t *peers)
{
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(peers, i, p)
		if (!json_is_true(json_object_get(p, "ready")) || number_of(p, "restarts") > 0)
			json_array_append(list, p);
	return list;
}

static void
print_peer(const json_t *p)
{
	printf("  ");
	cell(text_of(p, "role"), 16);
	printf(" %s, %s %lld  ", t(json_is_true(json_object_get(p, "ready")) ? N_("ready") : N_("not ready")),
	    t(N_("restarts:")), number_of(p, "restarts"));
	cell(text_of(p, "text"), 0);
	printf("\n");
}

static void
print_list(const char *title, const json_t *list, void (*print)(const json_t *))
{
	size_t i;
	json_t *o;

	if (json_array_size(list) == 0)
		return;
	printf("\n%s\n", t(title));
	json_array_foreach(list, i, o)
		print(o);
}

static void
print_alarm(const json_t *a)
{
	printf("  ");
	cell(text_of(a, "alarm"), 20);
	printf(" ");
	cell(text_of(a, "subject"), 16);
	printf(" %s %s  ", t(N_("since")), text_of(a, "since"));
	cell(text_of(a, "text"), 0);
	printf("\n");
}

static void
print_pause(const json_t *p)
{
	const char *folder = text_of(p, "folder");

	printf("  ");
	cell(*folder != '\0' ? folder : t(N_("all folders")), 16);
	printf(" %s %s  ", t(N_("since")), text_of(p, "since"));
	cell(text_of(p, "reason"), 0);
	printf("\n");
}

static void
print_records(const json_t *o)
{
	if (!json_is_object(o))
		return;
	printf("\n%s\n  %lld, %s %lld %s", t(N_("Evidence records")), number_of(o, "records"), t(N_("over the first")),
	    number_of(o, "covered"), t(N_("entries")));
	if (*text_of(o, "due") != '\0')
		printf(", %s %s", t(N_("to be renewed by")), text_of(o, "due"));
	if (*text_of(o, "why") != '\0')
		printf("; %s: %s", text_of(o, "why"), text_of(o, "text"));
	printf("\n");
}

static void
print_rest(const json_t *s)
{
	const json_t *log = json_object_get(s, "log"), *space = json_object_get(s, "space");
	char spool[32], archive[32];

	if (json_is_object(log))
		printf("\n%s\n  %s, %lld %s, %s %lld\n", t(N_("Log")), text_of(log, "origin"), number_of(log, "size"),
		    t(N_("entries")), t(N_("signed up to")), number_of(log, "checkpoint"));
	print_records(json_object_get(s, "evidence"));
	if (json_is_object(space)) {
		size_text(number_of(space, "spool"), spool, sizeof(spool));
		size_text(number_of(space, "archive"), archive, sizeof(archive));
		printf("\n%s\n  %s %s, %s %s\n", t(N_("Free space")), t(N_("spool")), spool, t(N_("archive")), archive);
	}
	print_list(N_("Alarms"), json_object_get(s, "alarms"), print_alarm);
	print_list(N_("Paused"), json_object_get(s, "pauses"), print_pause);
	if (*text_of(s, "paused") != '\0')
		printf("  %s: %s\n", t(N_("Nothing is taken in at present")), text_of(s, "paused"));
}

/* It ended because a person must act. */
static void
print_stopped(const json_t *s)
{
	printf("%s %s: %s\n", t(N_("sealroomd has stopped and seals nothing:")), text_of(s, "why"), text_of(s, "text"));
	if (strcmp(text_of(s, "why"), err_word(ERR_LOG_ROLLBACK)) == 0)
		printf("%s\n", t(N_("What to do: bring back the newest copy of the archive, or of the anti-rollback record "
		    "(evidence.anchor). Only if there is none: sealroom evidence resume --after-restore --reason TEXT. "
		    "What lies in the folders stays there and is taken in afterwards. See RESTORE in sealroomd(8).")));
	else
		printf("%s\n", t(N_("What to do: bring back what is damaged, missing or another, from its newest copy: the directory "
		    "evidence of the archive, the log's key (evidence.key), or the anti-rollback record (evidence.anchor). "
		    "What lies in the folders stays there and is taken in afterwards. See RESTORE in sealroomd(8).")));
}

static void
print_status(const json_t *s)
{
	json_t *peers = troubled(json_object_get(s, "peers"));

	if (*text_of(s, "why") != '\0')
		print_stopped(s);
	if (strcmp(text_of(s, "state"), "stopped") == 0)
		printf("%s\n", t(N_("sealroomd is not running. This lies in its spool:")));
	else
		printf("sealroomd %s: %s, %s %s\n", text_of(s, "version"), text_of(s, "state"), t(N_("since")),
		    text_of(s, "started"));
	print_list(N_("Folders"), json_object_get(s, "folders"), print_folder);
	print_list(N_("Jobs"), json_object_get(s, "jobs"), print_job);
	print_list(N_("Tokens"), json_object_get(s, "tokens"), print_token);
	print_list(N_("Programs"), peers, print_peer);
	print_rest(s);
	json_decref(peers);
}

/* --- without the daemon ------------------------------------------------------------------ */

static json_t *
spool_job(const struct spool *s, enum spool_state state, const char *id)
{
	char name[3 * SPOOL_NAME_MAX], received[CLOCK_ISO_MAX];
	struct question_record q;
	struct claim c;
	struct err e = { 0 };
	json_t *j = json_pack("{s:s, s:s}", "id", id, "state", spool_state_name(state));
	AUTO_FD dir = spool_job_dir(s, state, id, &e);

	if (dir < 0 || claim_get(dir, &c, &e) < 0)
		return j; /* moved on, or damaged: its id and place are what there is */
	json_object_set_new(j, "state", json_string(status_state(dir, state)));
	path_display(c.name, name, sizeof(name));
	clock_iso(c.received_us, received);
	json_object_set_new(j, "folder", json_string(c.folder));
	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "received", json_string(received));
	if (state == SPOOL_HELD && question_get(dir, "question", &q, &e) == 0) {
		json_object_set_new(j, "why", json_string(err_word(q.why.code)));
		json_object_set_new(j, "text", json_string(q.why.text));
	}
	return j;
}

static int
spool_jobs(const struct spool *s, enum spool_state state, json_t *jobs, struct err *e)
{
	int fd = openat(s->dir[state], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct dirent *de;
	DIR *d;

	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "spool/%s", spool_state_name(state));
	}
	while ((errno = 0, de = readdir(d)) != NULL)
		if (id_valid(de->d_name))
			json_array_append_new(jobs, spool_job(s, state, de->d_name));
	r = errno != 0 ? err_sys(e, ERR_IO, "spool/%s", spool_state_name(state)) : 0;
	closedir(d);
	return r;
}

/* state/stopped: "word text", why the daemon ended until a person has acted. */
static void
stopped_why(const struct spool *s, json_t *o)
{
	char line[2 * ERR_TEXT_MAX];
	struct err e;
	char *text;
	AUTO_BUF b;

	buf_init(&b, sizeof(line) - 1);
	if (!io_exists(s->state, STOPPED_FILE) || io_read_file(s->state, STOPPED_FILE, &b, &e) < 0 || b.len == 0)
		return;
	memcpy(line, b.data, b.len);
	line[b.len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	utf8_scrub(line);
	if ((text = strchr(line, ' ')) == NULL)
		return;
	*text++ = '\0';
	json_object_set_new(o, "why", json_string(line));
	json_object_set_new(o, "text", json_string(text));
}

static int
spool_status(const struct conf *conf, json_t **ret, struct err *e)
{
	json_t *jobs = json_array();
	json_t *o = json_pack("{s:s, s:O}", "state", "stopped", "jobs", jobs);
	struct spool s;
	int r;

	if ((r = spool_peek(&s, conf, e)) == 0) {
		/* what is still in incoming/ is the sender's */
		for (int i = SPOOL_CLAIMED; i < SPOOL_STATES && r == 0; i++)
			r = spool_jobs(&s, (enum spool_state)i, jobs, e);
		stopped_why(&s, o);
		spool_close(&s);
	}
	json_decref(jobs);
	if (r < 0 && errno != ENOENT) { /* a daemon that never ran has no spool */
		json_decref(o);
		return r;
	}
	*ret = o;
	return 0;
}

/* One look: the exit status. */
static int
look(struct cmd_args *a, const struct conf *conf)
{
	json_t *s = NULL;
	struct err e = { 0 };
	int r, status = EX_OK;

	r = control_ask(conf->control, json_pack("{s:s}", "op", "status"), &s, &e);
	if (r < 0 && e.code == ERR_PEER && (errno == ENOENT || errno == ECONNREFUSED)) {
		status = EX_UNAVAILABLE;
		r = spool_status(conf, &s, &e);
	}
	if (r == 0 && a->json) {
		r = cmd_json(s);
		status = r == EX_OK ? status : r;
	} else if (r == 0) {
		print_status(s);
		json_decref(s);
		status = cmd_done(status);
	} else {
		status = cmd_fail(a, &e);
	}
	return status;
}

/* On a terminal each look takes the place of the one before; elsewhere they follow each other. */
static int
follow(struct cmd_args *a, const struct conf *conf)
{
	const struct timespec pause = { .tv_sec = 1 };
	int status;

	for (;;) {
		if (isatty(STDOUT_FILENO) && !a->json)
			fputs("\033[H\033[2J", stdout);
		status = look(a, conf);
		if (status != EX_OK && status != EX_UNAVAILABLE)
			return status;
		if (!isatty(STDOUT_FILENO) && !a->json)
			putchar('\n');
		if (cmd_done(EX_OK) != EX_OK)
			return EX_IOERR;
		nanosleep(&pause, NULL);
	}
}

int
cmd_status(struct cmd_args *a)
{
	bool following = cmd_flag(a, "--follow");
	struct conf *conf;
	int r;

	if (a->argc != 1)
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0)
		return r;
	message_open(NULL);
	language = conf->language;
	r = following ? follow(a, conf) : look(a, conf);
	conf_free(conf);
	return r;
}
