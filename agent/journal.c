#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"

#include "agent/journal.h"

#define SOCKET_PATH "/run/systemd/journal/socket"
#define RECORD_MAX (16u * 1024)

static const char *const ids[JOURNAL_ID_COUNT] = {
#define X(name, id) [JOURNAL_##name] = id,
	JOURNAL_IDS(X)
#undef X
};

/* A field as the native protocol has it: a value on one line needs no length. */
static void
put_field(struct buf *b, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	buf_printf(b, "%s=", name);
	for (const char *p = value; *p != '\0'; p++)
		buf_put_u8(b, *p == '\n' ? ' ' : (uint8_t)*p);
	buf_put_u8(b, '\n');
}

/* "DEVICE:INODE" of the stream that the service manager gave us, and still is stderr (systemd.exec(5)). */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == dev && st.st_ino == ino;
}

static bool
send_record(const struct buf *b)
{
	const char *path = getenv("SEALROOM_JOURNAL");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	AUTO_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (path == NULL)
		path = SOCKET_PATH;
	if (fd < 0 || !buf_ok(b) || strlen(path) >= sizeof(a.sun_path))
		return false;
	strcpy(a.sun_path, path);
	return sendto(fd, b->data, b->len, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)) == (ssize_t)b->len;
}

/* id NULL: none. */
__attribute__((format(printf, 4, 0))) static void
say(const char *id, int priority, const struct about *about, const char *fmt, va_list ap)
{
	char line[1024], shown[3 * sizeof(line)];
	AUTO_BUF b;

	vsnprintf(line, sizeof(line), fmt, ap);
	buf_init(&b, RECORD_MAX);
	if (stderr_is_journal()) {
		log_show(line, shown, sizeof(shown));
		put_field(&b, "MESSAGE", shown);
		buf_printf(&b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=sealroomd\n", priority & 7);
		put_field(&b, "MESSAGE_ID", id);
		put_field(&b, "SEALROOM_JOB", about->job);
		put_field(&b, "SEALROOM_FOLDER", about->folder);
		put_field(&b, "SEALROOM_TOKEN", about->token);
		put_field(&b, "SEALROOM_REASON", about->reason);
		if (send_record(&b))
			return;
	}
	log_line(priority, "%s", line);
}

void
journal(enum journal_id id, int priority, const struct about *about, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(ids[id], priority, about, fmt, ap);
	va_end(ap);
}

void
journal_line(int priority, const struct about *about, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(NULL, priority, about, fmt, ap);
	va_end(ap);
}

void
journal_limited(struct log_limit *state, uint64_t every_ms, int priority, const struct about *about, const char *fmt, ...)
{
	va_list ap;

	if (!log_due(state, every_ms, priority))
		return;
	va_start(ap, fmt);
	say(NULL, priority, about, fmt, ap);
	va_end(ap);
}
