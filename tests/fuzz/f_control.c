/*
 * f_control.c - any bytes from a client of the control socket, to a core with a folder,
 * a log and one held job.
 *
 * Whatever came: each answer is a line that is one JSON object, the client is hung up
 * on in the end, and nothing but the request's own effect remains.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/control.h"
#include "agent/core.h"
#include "agent/lib/io.h"
#include "agent/messages.h"
#include "agent/pause.h"
#include "agent/status.h"
#include "agent/watch.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tmpdir.h"

static char path[64], control_path[96];
static int dir;
static struct core core;

/* One client at a time. */
static int client;
static char said[1 << 20];
static size_t said_len;

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	return fuzz_mutate_value(data, size, max, seed);
}

static void
leave(void)
{
	tmpdir_remove(dir, path);
}

static void
on_quiet(void *ctx, const struct watch_file *f)
{
	(void)ctx;
	watch_later(core.watch, f->folder, f->name, 60000);
}

static void
held_job(void)
{
	static const char question[] =
	    "{\"v\": 1, \"n\": 1, \"code\": \"anchor-missing\", \"text\": \"t\", \"page\": 2, \"word\": \"w\", \"say\": \"\", \"rule\": \"r\"}";
	struct claim claim = { .id = "01jd8k3v7m2q9x4t6w8z0b5c1f", .folder = "in", .name = "Brief.tif", .owner = 1000,
		.salt = "00112233445566778899aabbccddeeff" };
	struct err e = { 0 };
	struct job *held;
	int job;

	if (mkdirat(core.spool.dir[SPOOL_HELD], claim.id, 0700) < 0 ||
	    (job = openat(core.spool.dir[SPOOL_HELD], claim.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    claim_put(job, &claim, &e) < 0 || record_put(job, "question", question, strlen(question), &e) < 0)
		fuzz_wrong(__FILE__, __LINE__, "%s", e.text);
	if ((held = job_new(&e)) == NULL)
		abort();
	job_add(&core, held, &claim, SPOOL_HELD, job);
	held->busy = true;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct control_opts control = { .ops = status_ops, .ctx = &core, .operates = status_operates };
	const struct watch_owner owner = { .agent = "agent", .state = -1 };
	const struct children_opts none = { .conf = NULL, .state_dir = -1 };
	struct children_opts opts = none;
	char text[1024];
	struct err e = { 0 };

	(void)argc;
	(void)argv;
	dir = tmpdir_make(path);
	atexit(leave);
	snprintf(control_path, sizeof(control_path), "%s/control", path);
	snprintf(text, sizeof(text),
	    "folders : { in : { path = \"%s/in\"; rules = [ \"r\" ]; seals = [ \"s\" ]; poll = \"60s\"; }; };"
	    "rules : { r : { when = \"always\"; place = \"invisible\"; seal = \"s\"; }; };"
	    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; }; tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };"
	    "trust = \"/t.pem\"; archive : { path = \"%s/archive\"; }; evidence : { origin = \"o\"; }; state = \"%s/state\";",
	    path, path, path);
	for (const char *const *d = (const char *const[]){ "in", "archive", "state", NULL }; *d != NULL; d++)
		if (mkdirat(dir, *d, 0700) < 0)
			abort();
	message_open(NULL);
	if (conf_parse(&core.conf, text, &e) < 0 || loop_new(&core.loop, &e) < 0 || spool_open(&core.spool, core.conf, &e) < 0 ||
	    archive_open(&core.archive, core.conf->archive.path, &e) < 0 || logbook_open(&core, &e) < 0 || pause_open(&core, &e) < 0 ||
	    watch_open(&core.watch, core.loop, core.conf, &owner, 1, on_quiet, &core, &e) < 0)
		fuzz_wrong(__FILE__, __LINE__, "%s", e.text);
	opts.conf = core.conf;
	if (children_open(&core.children, core.loop, &opts, &e) < 0 ||
	    control_open(&core.control, core.loop, control_path, &control, &e) < 0)
		fuzz_wrong(__FILE__, __LINE__, "%s", e.text);
	held_job();
	return 0;
}

static void
on_said(void *ctx, uint32_t events)
{
	ssize_t n = recv(client, said + said_len, sizeof(said) - said_len, MSG_DONTWAIT);

	(void)ctx;
	(void)events;
	if (n > 0) {
		said_len += (size_t)n;
		return;
	}
	loop_fd_del(core.loop, client);
	loop_stop(core.loop);
}

/* Sends it all and hears until the daemon hangs up. */
static void
ask(const uint8_t *data, size_t size)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err e = { 0 };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", control_path);
	if ((client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 || connect(client, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    send(client, data, size, MSG_NOSIGNAL) != (ssize_t)size || shutdown(client, SHUT_WR) < 0 ||
	    loop_fd(core.loop, client, EPOLLIN, on_said, NULL) < 0)
		fuzz_wrong(__FILE__, __LINE__, "a client can not ask");
	said_len = 0;
	if (loop_run(core.loop, &e) < 0)
		fuzz_wrong(__FILE__, __LINE__, "%s", e.text);
	close(client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	ask(data, size);
	while (at < said_len) {
		const char *end = memchr(said + at, '\n', said_len - at);
		json_t *o;

		FUZZ_MUST(end != NULL, "an answer does not end: %.*s", (int)(said_len - at), said + at);
		o = json_loadb(said + at, (size_t)(end - said) - at, JSON_REJECT_DUPLICATES, NULL);
		FUZZ_MUST(json_is_object(o), "an answer is no object: %.*s", (int)(end - said - (ptrdiff_t)at), said + at);
		if (json_object_get(o, "error") == NULL)
			fuzz_accepted();
		fuzz_planted(json_object_get(o, "jobs") != NULL && json_array_size(json_object_get(o, "jobs")) == 0, data, size);
		json_decref(o);
		at = (size_t)(end - said) + 1;
	}
	FUZZ_MUST(core.jobs != NULL && core.jobs->state == SPOOL_HELD, "the job has gone");
	unlinkat(core.jobs->dir, "decision", 0);
	core.jobs->settled = true;
	return 0;
}
