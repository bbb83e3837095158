#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/wire.h"

#include "agent/childrenint.h"

#define TRUST_MAX (1u << 20)

/* --- SETTINGS --------------------------------------------------------------------------- */

static int
add_file(struct settings *s, const char *kind, const char *name, const char *path, size_t max, struct err *e)
{
	struct settings_file *f = &s->files[s->nfiles];
	AUTO_BUF b = { 0 };
	int r;

	if (s->nfiles == SETTINGS_FILES_MAX)
		return err_set(e, ERR_CONF, "the settings name more than %u files that a process must know", SETTINGS_FILES_MAX);
	buf_init(&b, max);
	if ((r = io_read_file(AT_FDCWD, path, &b, e)) < 0)
		return r;
	snprintf(f->name, sizeof(f->name), "%s%s", kind, name);
	f->len = (uint32_t)b.len;
	if ((f->data = (uint8_t *)buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "'%s'", path);
	s->nfiles++;
	return 0;
}

/* Pictures and fonts of the seals: who draws them can open no file. */
static int
add_looks(struct settings *s, const struct conf *conf, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < conf->nseals && r == 0; i++) {
		const struct conf_seal *seal = &conf->seals[i];

		if (*seal->look.image != '\0')
			r = add_file(s, "image:", seal->name, seal->look.image, CONF_IMAGE_MAX, e);
		if (r == 0 && *seal->look.font != '\0')
			r = add_file(s, "font:", seal->name, seal->look.font, CONF_FONT_MAX, e);
	}
	return r;
}

/* What this role may know, as a memfd. */
static int
peer_settings(struct peer *p, int *ret, struct err *e)
{
	const struct conf *conf = p->c->opts.conf;
	struct settings s = { 0 };
	int r = 0;

	if ((p->role == ROLE_SCAN || p->role == ROLE_FETCH) && (s.conf = conf_text(conf)) == NULL)
		r = err_set(e, ERR_MEM, "settings");
	if (p->role == ROLE_VERIFY) {
		r = add_file(&s, "seal", "", conf->trust, TRUST_MAX, e);
		if (r == 0 && *conf->scan.signed_trust != '\0')
			r = add_file(&s, "earlier", "", conf->scan.signed_trust, TRUST_MAX, e);
		for (size_t i = 0; i < conf->ntsas && r == 0; i++)
			r = add_file(&s, "tsa:", conf->tsas[i].name, conf->tsas[i].trust, TRUST_MAX, e);
		if (r == 0 && p->c->opts.tsa_roots != NULL)
			r = add_file(&s, "tsa:", "given", p->c->opts.tsa_roots, TRUST_MAX, e);
	}
	if (r == 0 && p->role == ROLE_SCAN)
		r = add_looks(&s, conf, e);
	if (r == 0)
		r = settings_write(&s, ret, e);
	settings_done(&s);
	return r;
}

int
peer_send_settings(struct peer *p, struct err *e)
{
	const struct children_opts *o = &p->c->opts;
	uint32_t flags = 0;
	int fds[3] = { -1, -1, -1 }, n = 1, r;
	AUTO_BUF b;
	AUTO_FD memfd = -1;
	AUTO_FD mark = -1;

	buf_init(&b, 16);
	if (p->role == ROLE_SCAN && o->ocr)
		flags |= SETTINGS_OCR;
	if (p->role == ROLE_SCAN && o->ocr_look)
		flags |= SETTINGS_OCR_LOOK;
	if (p->log && o->log_empty)
		flags |= SETTINGS_LOG_EMPTY;
	if (p->token != NULL && o->no_login)
		flags |= SETTINGS_NO_LOGIN;
	if ((r = peer_settings(p, &memfd, e)) < 0)
		return r;
	fds[0] = memfd;
	if (p->token != NULL && o->state_dir >= 0) {
		if ((mark = peer_open_mark(p, e)) < 0)
			return mark;
		fds[n++] = mark;
	}
	if (p->pin >= 0) {
		flags |= SETTINGS_PIN;
		fds[n++] = p->pin;
	}
	buf_put_u32(&b, flags);
	r = wire_send(p->proc.sock, MSG_SETTINGS, ++p->seq, &b, fds, n, e);
	io_close(&p->pin);
	return r;
}

/* --- what it says ----------------------------------------------------------------------- */

int
peer_greeted(struct peer *p, struct err *e)
{
	p->state = PEER_SETTING;
	if (!peer_asks_person(p) || p->pin >= 0)
		return peer_send_settings(p, e);
	/* however long it takes: nothing is lost meanwhile, jobs wait as for a card that is away */
	loop_timer_del(p->c->loop, p->timer);
	p->timer = 0;
	p->wants_pin = true;
	err_set(&p->why, ERR_PIN_SOURCE, "waits for its PIN; sealroom token login %s", p->name);
	peer_tell(p, false, &p->why);
	return 0;
}

static int
on_hello(struct peer *p, struct wire_msg *m, struct err *e)
{
	char build[64], name[MSG_NAME_MAX];
	uint32_t role = buf_get_u32(&m->payload);

	buf_get_str(&m->payload, build, sizeof(build));
	buf_get_str(&m->payload, name, sizeof(name));
	if (!buf_finished(&m->payload) || p->state != PEER_GREETING || role != (uint32_t)p->role)
		return err_set(e, ERR_PEER, "%s: HELLO is damaged", peer_program(p->role));
	if (strcmp(build, build_id) != 0)
		return err_set(e, ERR_CONF, "%s is of another build; install all programs together",
		    peer_program(p->role));
	return peer_greeted(p, e);
}

static int
on_ready(struct peer *p, struct wire_msg *m, struct err *e)
{
	int r = 0;

	if (p->state != PEER_SETTING)
		return err_set(e, ERR_PEER, "%s: READY out of turn", peer_program(p->role));
	if (p->role == ROLE_SEAL) {
		if (p->seal == NULL && (p->seal = calloc(1, sizeof(*p->seal))) == NULL)
			return err_set(e, ERR_MEM, "READY");
		r = ready_seal_get(&m->payload, p->seal, e);
	} else if (p->role == ROLE_SCAN) {
		if (p->scan == NULL && (p->scan = calloc(1, sizeof(*p->scan))) == NULL)
			return err_set(e, ERR_MEM, "READY");
		r = ready_scan_get(&m->payload, p->scan, e);
	}
	if (r < 0)
		return r;
	if (p->log) /* the key is there: a later start must find it, never make another */
		p->c->opts.log_empty = false;
	loop_timer_del(p->c->loop, p->timer);
	p->timer = 0;
	p->state = PEER_READY;
	p->ready_at = clock_ms();
	memset(&p->why, 0, sizeof(p->why));
	peer_answer_login(p, NULL);
	peer_tell(p, true, NULL);
	tasks_pump(p->c);
	return 0;
}

int
child_fail_get(struct wire_msg *m, struct err *ret, struct err *e)
{
	struct err f = { 0 };
	uint32_t code = buf_get_u32(&m->payload);

	f.page = buf_get_u32(&m->payload);
	buf_get_str(&m->payload, f.text, sizeof(f.text));
	if (!buf_finished(&m->payload) || !err_code_valid(code))
		return err_set(e, ERR_PEER, "FAIL is damaged");
	err_set(ret, (enum err_code)code, "%s", f.text); /* one line of UTF-8 */
	ret->page = f.page;
	return 0;
}

static int
peer_message(struct peer *p, struct wire_msg *m, struct err *e)
{
	int r;

	switch (m->type) {
	case MSG_HELLO:
		return on_hello(p, m, e);
	case MSG_READY:
		return on_ready(p, m, e);
	case MSG_STARTED:
		return task_started(p, m, e);
	case MSG_EXIT:
		return task_exited(p, m, e);
	case MSG_SIGNED:
		return peer_signed(p, m, e);
	case MSG_REFUSED:
		return peer_refused(p, m, e);
	case MSG_NOTED:
		return peer_noted(p, m, e);
	case MSG_FAIL:
		r = child_fail_get(m, &p->why, e);
		if (r == 0) {
			p->question.unasked = p->role == ROLE_SEAL && p->why.page == MSG_UNASKED;
			p->why.page = 0;
			*e = p->why;
			r = -(int)e->code;
		}
		return r;
	default:
		return err_set(e, ERR_PEER, "%s is not expected", wire_name(m->type));
	}
}

void
peer_heard(void *ctx, uint32_t events)
{
	struct peer *p = ctx;
	struct err e = { 0 };
	AUTO_MSG m = { 0 };
	int r;

	(void)events;
	r = wire_recv(p->proc.sock, p->role, ROLE_CORE, MSG_DONTWAIT, &m, &e);
	if (r < 0 && errno == EAGAIN && e.code == ERR_IO)
		return;
	if (r == 0)
		r = err_set(&e, ERR_CHILD, "%s %s ended", peer_program(p->role), p->name);
	if (r < 0 || peer_message(p, &m, &e) < 0)
		peer_down(p, &e);
}
