#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

static bool
on_mount(int fd, uint64_t id)
{
	struct statx x;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 && (x.stx_mask & STATX_MNT_ID) && x.stx_mnt_id == id;
}

/* One step down: a symbolic link is ELOOP, also where a directory is asked for. */
static int
step_down(int dir, const char *part, int flags)
{
	int fd = openat(dir, part, flags | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOTDIR)
		errno = fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
	return fd;
}

/* What openat2() does in one call: RestrictSUIDSGID= of a unit takes it away, as a filter can not see its flags. */
static int
open_in_steps(int dir, const char *name, int flags)
{
	AUTO_FD at = -1;
	struct statx x;

	if (statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) < 0)
		return -1;
	for (;;) {
		char part[NAME_MAX + 1];
		size_t n = strcspn(name, "/");
		bool last = name[n] == '\0';
		AUTO_FD fd = -1;

		if (n > NAME_MAX || snprintf(part, sizeof(part), "%.*s", (int)n, name) == 0 || strcmp(part, "..") == 0) {
			errno = n > NAME_MAX ? ENAMETOOLONG : n == 0 && last ? ENOENT : EXDEV;
			return -1;
		}
		if ((fd = step_down(at < 0 ? dir : at, part, last ? flags : O_PATH | O_DIRECTORY)) < 0)
			return -1;
		if (!on_mount(fd, x.stx_mnt_id)) {
			errno = EXDEV;
			return -1;
		}
		if (last)
			return take_fd(&fd);
		io_close(&at);
		at = take_fd(&fd);
		name += n + 1;
	}
}

int
path_open(int dir, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint32_t)flags | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 && errno == ENOSYS ? open_in_steps(dir, name, flags) : fd;
}

void
path_escape(const char *name, char *dst, size_t size)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)name; *p && n + 4 <= size; p++) {
		if (strchr(safe, *p) != NULL)
			dst[n++] = (char)*p;
		else
			n += (size_t)snprintf(dst + n, size - n, "%%%02X", *p);
	}
	dst[n] = '\0';
}

int
path_unescape(const char *in, char *dst, size_t size)
{
	size_t n = 0;

	for (; *in && n + 1 < size; in++) {
		unsigned v;

		if (*in != '%') {
			dst[n++] = *in;
			continue;
		}
		if (!isxdigit((unsigned char)in[1]) || !isxdigit((unsigned char)in[2]) || sscanf(in + 1, "%2X", &v) != 1 ||
		    v == 0)
			return -1;
		dst[n++] = (char)v;
		in += 2;
	}
	dst[n] = '\0';
	return *in ? -1 : 0;
}

uint32_t
utf8_next(const char **s, const char *end)
{
	const unsigned char *p = (const unsigned char *)*s;
	size_t left = (size_t)(end - *s), n;
	uint32_t c = p[0];
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
	if (n == 0 || n > left) {
		*s += 1;
		return 0xFFFD;
	}
	if (n > 1)
		c &= 0x7Fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80) {
			*s += 1;
			return 0xFFFD;
		}
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
		*s += 1;
		return 0xFFFD;
	}
	*s += n;
	return c;
}

size_t
utf8_put(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xC0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xE0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		out[2] = (char)(0x80 | (cp & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
	out[3] = (char)(0x80 | (cp & 0x3F));
	return 4;
}

bool
utf8_valid(const char *s, size_t n)
{
	const char *end = n == 0 ? s : s + n; /* what is empty may have no address */

	while (s < end) {
		const char *at = s;

		if (utf8_next(&s, end) == 0xFFFD && !(end - at >= 3 && memcmp(at, "\xEF\xBF\xBD", 3) == 0))
			return false;
	}
	return true;
}

void
utf8_scrub(char *s)
{
	const char *p = s, *end = s + strlen(s);

	while (p < end) {
		char *at = s + (p - s);

		/* U+FFFD itself is three bytes long, a bad byte is one */
		if (utf8_next(&p, end) == 0xFFFD && p - at == 1)
			*at = '?';
	}
}

/* Controls, bidi marks and other invisibles that can make a name lie. */
static bool
cp_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
	    (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF ||
	    (c >= 0xFFF9 && c <= 0xFFFD) || (c >= 0xE0000 && c <= 0xE0FFF);
}

void
path_display(const char *name, char *dst, size_t size)
{
	const char *s = name, *end = name + strlen(name);
	size_t n = 0;

	while (s < end) {
		const char *at = s;
		bool hide = cp_hidden(utf8_next(&s, end));
		size_t len = (size_t)(s - at);

		if (n + 3 * len + 1 > size)
			break;
		if (!hide) {
			memcpy(dst + n, at, len);
			n += len;
			continue;
		}
		for (size_t i = 0; i < len; i++)
			n += (size_t)snprintf(dst + n, size - n, "%%%02X", (unsigned char)at[i]);
	}
	dst[n] = '\0';
}
