/*
 * f_wire.c - any message from a peer, and any result of a task.
 *
 * Byte 0 is even: the rest arrives as one datagram, from and to the roles byte 1
 * names, with as many descriptors as byte 2 says.  Odd: the rest is decoded as
 * payload number byte 1.  What a decoder accepts is encoded and decoded again, and
 * must then be the same; no descriptor may be left, whatever came.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "agent/lib/io.h"
#include "agent/lib/taskmsg.h"
#include "agent/lib/wire.h"
#include "tests/fuzz/fuzz.h"

#define DESCRIPTORS 7

/* --- payloads ------------------------------------------------------------------------------ */

#define PAYLOADS(X) \
	X(ready_scan) \
	X(ready_seal) \
	X(inspect_params) \
	X(inspect_result) \
	X(page_params) \
	X(page_result) \
	X(compose_params) \
	X(compose_result) \
	X(field_params) \
	X(field_result) \
	X(sigs_result) \
	X(picture_params) \
	X(stamp_params) \
	X(stamp_result) \
	X(attach_params) \
	X(attach_result) \
	X(judge_params) \
	X(judge_result)

#define FUNCTIONS(type) \
	static int type##_any_get(struct buf *b, void *to, struct err *e) { return type##_get(b, to, e); } \
	static void type##_any_put(struct buf *b, const void *from) { type##_put(b, from); }
PAYLOADS(FUNCTIONS)

static const struct payload {
	const char *name;
	size_t size;
	int (*get)(struct buf *, void *, struct err *);
	void (*put)(struct buf *, const void *);
} payloads[] = {
#define ROW(type) { #type, sizeof(struct type), type##_any_get, type##_any_put },
	PAYLOADS(ROW)
};

static void
payload(const struct payload *p, const uint8_t *data, size_t size)
{
	AUTO_BUF first, second;
	AUTO_FREE void *a = calloc(1, p->size), *b = calloc(1, p->size);
	struct buf view;
	struct err e = { 0 };

	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	buf_view(&view, data, size);
	if (p->get(&view, a, &e) < 0) {
		FUZZ_MUST(e.code == ERR_PEER, "%s is refused as %s", p->name, err_word(e.code));
		return;
	}
	fuzz_accepted();
	p->put(&first, a);
	FUZZ_MUST(buf_ok(&first), "an accepted %s does not encode", p->name);
	buf_view(&view, first.data, first.len);
	FUZZ_MUST(p->get(&view, b, &e) == 0, "an accepted %s does not decode again", p->name);
	p->put(&second, b);
	FUZZ_MUST(first.len == second.len && memcmp(first.data, second.data, first.len) == 0, "%s reads back as another", p->name);
	fuzz_planted(p->size == sizeof(struct page_params) && size > 8 && data[7] > 3, data, size);
}

static void
sig_infos(const uint8_t *data, size_t size)
{
	struct buf view;
	struct err e = { 0 };

	buf_view(&view, data, size);
	for (int i = 0; i < SIGS_MAX && buf_left(&view) > 0; i++) {
		struct sig_info s = { 0 };

		if (sig_info_get(&view, &s, &e) < 0)
			break;
		FUZZ_MUST(s.cms != NULL && s.cms_len <= SIGS_CMS_MAX, "a signature of %zu bytes", s.cms_len);
		sig_info_done(&s);
	}
}

static void
settings(const uint8_t *data, size_t size)
{
	struct settings s = { 0 };
	struct err e = { 0 };

	if (settings_read(fuzz_file(data, size), &s, &e) < 0)
		return;
	FUZZ_MUST(s.conf != NULL && s.nfiles <= SETTINGS_FILES_MAX, "settings without text");
	settings_done(&s);
}

/* --- messages ------------------------------------------------------------------------------ */

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD, 3);

	close(fd);
	return fd;
}

static void
message(uint8_t roles, int nfds, const uint8_t *data, size_t size)
{
	static int sv[2] = { -1, -1 };
	enum role from = ROLE_CORE + roles % 7, to = ROLE_CORE + roles / 7 % 7;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct wire_msg m;
	struct err e = { 0 };
	int before, r;

	if (sv[0] < 0 && wire_pair(sv, &e) < 0)
		abort();
	if (nfds > 0) {
		struct cmsghdr *c;

		h.msg_control = control.space;
		h.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){ CMSG_LEN((size_t)nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		for (int i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){ 2 }, sizeof(int));
	}
	before = lowest_free();
	if (sendmsg(sv[0], &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		FUZZ_MUST(errno == EMSGSIZE || errno == EAGAIN || errno == ENOBUFS, "sendmsg: %s", strerror(errno));
		return;
	}
	r = wire_recv(sv[1], from, to, MSG_DONTWAIT, &m, &e);
	if (r == 1) {
		FUZZ_MUST(m.payload.len <= WIRE_PAYLOAD && m.payload.len + WIRE_HEADER == size && m.nfds == nfds &&
		        m.nfds <= WIRE_FDS && wire_name(m.type) != NULL,
		    "a message %s is not what was sent", wire_name(m.type));
		wire_done(&m);
	} else {
		FUZZ_MUST(r == -ERR_PEER || (r == 0 && size == 0), "a message is refused as %s", err_word((enum err_code)-r));
	}
	FUZZ_MUST(lowest_free() == before, "a message left a descriptor");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = sizeof(payloads) / sizeof(payloads[0]);

	if (size < 3)
		return 0;
	if (data[0] % 2 == 0)
		message(data[1], data[2] % (DESCRIPTORS + 1), data + 3, size - 3);
	else if (data[1] % (n + 2) < n)
		payload(&payloads[data[1] % (n + 2)], data + 2, size - 2);
	else if (data[1] % (n + 2) == n)
		sig_infos(data + 2, size - 2);
	else
		settings(data + 2, size - 2);
	return 0;
}
