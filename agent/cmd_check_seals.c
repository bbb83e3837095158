/*
 * Will what is sealed be taken for sealed, and what is stamped be read?  Certificates
 * as sealroom-seal saw them without a login, and every stamp that a rule can ask for,
 * drawn for a look by a child of sealroom-scan.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/cmd_checkint.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/rules.h"

#define SOON_US (30LL * 24 * 3600 * 1000000) /* an expiry this near is told */
#define PROOF_MIB 512
#define PROOF_BYTES (64 * 1024 * 1024)
#define LONGEST_DATE_US 1790164800000000LL /* 23 September 2026: no month is longer */
#define ID_SHOWN "2a4c6e0g1i3k5m7o9q2s4u6w8y" /* as long as a job's, and as wide */

/* --- certificates ----------------------------------------------------------------------------- */

static void
odd_say(struct check *c, const struct conf_token *t, uint32_t odd)
{
	const char *cert = KEY("tokens", t->name, "cert");

	if (odd & SEAL_ODD_CA)
		check_say(c, WARNING, cert, "token %s: the certificate is an authority's own; name that of the seal", t->name);
	if (odd & SEAL_ODD_USE)
		check_say(c, WARNING, cert,
		    "token %s: the certificate is for servers, code or time stamps, not for documents (extended key usage); order one for seals",
		    t->name);
	if (odd & SEAL_ODD_ROOT)
		check_say(c, MISTAKE, KEY("tokens", t->name, "chain"),
		    "token %s: no chain leads from its certificate to a root of trust, and nothing would be delivered; add the issuing "
		    "certificates as chain, or the root to the file of trust", t->name);
}

/* What sealroom-seal says names the fault; where to look for the remedy hangs on its kind. */
static void
token_bad(struct check *c, const struct conf_token *t, const struct err *why)
{
	switch (why->code) {
	case ERR_TOKEN_GONE:
		check_say(c, MISTAKE, KEY("tokens", t->name, *t->serial != '\0' ? "serial" : "label"),
		    "token %s: %s: %s; insert it, or correct serial and label. If it is in and its reader is seen, the module may be too old "
		    "for this card: install the maker's own, or a newer OpenSC", t->name, err_word(why->code), why->text);
		break;
	case ERR_KEY:
		check_say(c, MISTAKE, KEY("tokens", t->name, *t->key_id != '\0' ? "key_id" : "key_label"), "token %s: %s: %s", t->name,
		    err_word(why->code), why->text);
		break;
	case ERR_CERT:
		check_say(c, MISTAKE, KEY("tokens", t->name, strncmp(why->text, "chain:", 6) == 0 ? "chain" : "cert"), "token %s: %s: %s", t->name, err_word(why->code), why->text);
		break;
	case ERR_CONF:
		check_say(c, MISTAKE, KEY("tokens", t->name, "module"),
		    "token %s: %s: %s; name the maker's PKCS#11 module, a shared library of this machine's kind", t->name, err_word(why->code),
		    why->text);
		break;
	default:
		check_say(c, MISTAKE, KEY("tokens", t->name, ""), "token %s: %s: %s; see sealroom-seal(8), DIAGNOSTICS", t->name,
		    err_word(why->code), why->text);
	}
}

void
check_token(struct check *c, const struct conf_token *t, const struct check_token *s)
{
	const char *cert = KEY("tokens", t->name, "cert");
	const struct ready_seal *f = &s->seal;
	char until[CLOCK_ISO_MAX], subject[MSG_TEXT_MAX], serial[MSG_TEXT_MAX];
	int64_t now = clock_wall_us();

	if (!s->ready) {
		token_bad(c, t, &s->why);
		return;
	}
	clock_iso(f->not_after_us, until);
	path_display(f->subject, subject, sizeof(subject));
	path_display(f->token_serial, serial, sizeof(serial));
	if (f->not_after_us < now)
		check_say(c, MISTAKE, cert, "token %s: the certificate expired on %s; order a new one", t->name, until);
	else if (f->not_before_us > now)
		check_say(c, MISTAKE, cert, "token %s: the certificate is not valid yet, or the clock is wrong; compare it: timedatectl", t->name);
	else if (f->not_after_us - now < SOON_US)
		check_say(c, WARNING, cert, "token %s: the certificate expires on %s; order a new one", t->name, until);
	odd_say(c, t, f->odd);
	check_say(c, GOOD, KEY("tokens", t->name, ""), "token %s: serial %s, %s, %u bits, until %s: %s", t->name, serial,
	    f->key_type == SEAL_KEY_EC_P256 ? "ECDSA" : "RSA", f->key_bits, until, subject);
}

/* --- stamps ------------------------------------------------------------------------------------ */

/* What a stamp is filled in with: what is known beforehand as it will be, the rest by nothing. */
struct sample {
	const struct conf_rule *rule;
	const char *folder, *language, *org;
	char text[MSG_TEXT_MAX];
};

static const char *
sample_value(void *ctx, const char *variable, const char *format)
{
	struct sample *s = ctx;

	if (strcmp(variable, "org") == 0)
		return s->org;
	if (strcmp(variable, "id") == 0)
		return ID_SHOWN;
	if (strcmp(variable, "rule") == 0)
		return s->rule->name;
	if (strcmp(variable, "folder") == 0)
		return s->folder;
	if (strcmp(variable, "time") == 0 || strcmp(variable, "received") == 0)
		return name_time(LONGEST_DATE_US, format, s->language, s->text, sizeof(s->text)) ? s->text : "";
	return "";
}

/* Of the first of its tokens that was seen; "" when none was. */
static const char *
org_of(const struct check *c, const struct conf_seal *seal, bool *seen)
{
	for (size_t i = 0; i < c->conf->ntokens; i++)
		for (size_t j = 0; c->tokens[i].ready && j < seal->ntokens; j++)
			if (seal->tokens[j] == &c->conf->tokens[i]) {
				*seen = true;
				return c->tokens[i].seal.org;
			}
	*seen = false;
	return "";
}

static void
on_proof(void *ctx, const struct task_outcome *o)
{
	struct check *c = ctx;

	if (o->err != NULL)
		c->err = *o->err;
	loop_stop(c->loop);
}

static int
proof(struct check *c, const struct sample *s, struct field_params *p)
{
	AUTO_FD scratch = memfd_create("proof", MFD_CLOEXEC);
	struct task_req req = { .kind = TASK_PROOF, .in = -1, .out = scratch, .as_mib = PROOF_MIB, .cpu_s = 20, .fsize = PROOF_BYTES,
		.deadline_ms = 60000 };
	const struct conf_look *look = &s->rule->seal->look;
	struct sample values = *s;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (scratch < 0)
		return err_set(&c->err, ERR_MEM, "stamp");
	if (name_expand(look->qr, sample_value, &values, p->qr, sizeof(p->qr), &c->err) < 0)
		return -(int)c->err.code;
	for (size_t i = 0; i < look->lines.n && p->nlines < MSG_LINES_MAX; i++)
		if (name_expand(look->lines.v[i], sample_value, &values, p->lines[p->nlines++], MSG_TEXT_MAX, &c->err) < 0)
			return -(int)c->err.code;
	snprintf(p->seal, sizeof(p->seal), "%s", s->rule->seal->name);
	p->place = PLACE_BOX;
	p->place_box = (struct box){ 0, 0, s->rule->place.width, s->rule->place.height };
	p->hole = 1024;
	field_params_put(&b, p);
	req.params = &b;
	return check_task(c, &req, on_proof);
}

static void
stamp_check(struct check *c, const struct sample *s)
{
	const char *size = KEY("rules", s->rule->name, "place.size");
	const char *look = KEY("seals", s->rule->seal->name, *s->rule->seal->look.font != '\0' ? "look.font" : "look.lines");
	struct field_params p = { .nlines = 0 };

	if (proof(c, s, &p) == 0)
		return;
	if (c->err.code == ERR_ANCHOR_PLACE)
		check_say(c, MISTAKE, size, "rule %s: what seal \"%s\" shows has no room: %s; make size larger, or take lines out", s->rule->name,
		    s->rule->seal->name, c->err.text);
	else if (c->err.code == ERR_STAMP)
		check_say(c, MISTAKE, look, "rule %s: seal \"%s\" can not be drawn: %s", s->rule->name, s->rule->seal->name,
		    c->err.text);
	else
		check_say(c, MISTAKE, look, "rule %s: seal \"%s\" can not be drawn: %s: %s; see sealroom-scan(8), DIAGNOSTICS", s->rule->name,
		    s->rule->seal->name, err_word(c->err.code), c->err.text);
}

static bool
shows_org(const struct conf_look *l)
{
	for (size_t i = 0; i < l->lines.n; i++)
		if (strstr(l->lines.v[i], "{org}") != NULL)
			return true;
	return strstr(l->qr, "{org}") != NULL;
}

/* The folder only gives a name to stamps that show it: the one with the longest. */
static const struct conf_folder *
folder_of(const struct conf *conf, const struct conf_rule *r)
{
	const struct conf_folder *longest = NULL;

	for (size_t i = 0; i < conf->nfolders; i++)
		for (size_t j = 0; j < conf->folders[i].nrules; j++)
			if (conf->folders[i].rules[j] == r && (longest == NULL || strlen(conf->folders[i].name) > strlen(longest->name)))
				longest = &conf->folders[i];
	return longest;
}

static bool
scan_ready(const struct check *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == ROLE_SCAN)
			return s.ready;
	}
	return false;
}

void
check_stamps(struct check *c)
{
	const struct conf *conf = c->conf;
	bool seen;

	for (size_t i = 0; i < conf->nseals; i++)
		if (shows_org(&conf->seals[i].look) && *org_of(c, &conf->seals[i], &seen) == '\0' && seen)
			check_say(c, WARNING, KEY("seals", conf->seals[i].name, "look.lines"),
			    "seal %s: its certificate names no organization: {org} stays empty; write the name as text", conf->seals[i].name);
	for (size_t i = 0; i < conf->nrules && scan_ready(c); i++) {
		const struct conf_folder *f = folder_of(conf, &conf->rules[i]);
		struct sample s = { .rule = &conf->rules[i] };

		if (s.rule->seal == NULL || s.rule->place.invisible || f == NULL)
			continue;
		s.folder = f->name;
		s.language = f->language;
		s.org = org_of(c, s.rule->seal, &seen);
		stamp_check(c, &s);
	}
}
