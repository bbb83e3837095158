#include <dlfcn.h>
#include <fcntl.h>
#include <libp11.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/p11.h"

/* --- words ------------------------------------------------------------------------------ */

const char *
p11_word(CK_RV rv)
{
	const char *s = NULL;

	if (rv <= 0x400)
		s = ERR_reason_error_string(ERR_PACK(ERR_get_CKR_code(), 0, (int)rv));
	return s != NULL ? s : "unknown error";
}

/* Is a token in the slot at all?  Modules name a removal in many ways. */
static bool
token_present(struct p11 *p)
{
	CK_SLOT_INFO info;

	return p->f->C_GetSlotInfo(p->slot, &info) == CKR_OK && (info.flags & CKF_TOKEN_PRESENT) != 0;
}

int
p11_fail(struct p11 *p, CK_RV rv, const char *what, struct err *e)
{
	switch (rv) {
	case CKR_HOST_MEMORY:
		return err_set(e, ERR_MEM, "token '%s': %s", p->label, what);
	case CKR_GENERAL_ERROR: /* what a module says for ever once pcscd was restarted */
	case CKR_CRYPTOKI_NOT_INITIALIZED:
	case CKR_DEVICE_REMOVED:
	case CKR_KEY_HANDLE_INVALID:
	case CKR_OBJECT_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SLOT_ID_INVALID:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_USER_NOT_LOGGED_IN:
		return err_set(e, ERR_TOKEN_GONE, "token '%s': %s: %s (0x%lx)", p->label, what, p11_word(rv), rv);
	default:
		return err_set(e, token_present(p) ? ERR_TOKEN_FAULT : ERR_TOKEN_GONE, "token '%s': %s: %s (0x%lx)",
		    p->label, what, p11_word(rv), rv);
	}
}

/* --- module ----------------------------------------------------------------------------- */

static bool
others_change(const struct stat *st)
{
	return (st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & 0022) != 0;
}

/* The directory that this name of the module stands in: who can write it can put another one there. */
static int
check_dir(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(dir, sizeof(dir), "%s", path) >= sizeof(dir))
		return err_set(e, ERR_CONF, "module: the path is too long");
	dir[strrchr(dir, '/') - dir + 1] = '\0';
	if (stat(dir, &st) < 0)
		return err_sys(e, ERR_CONF, "module %s: its directory", path);
	return others_change(&st) ?
	    err_set(e, ERR_CONF, "module %s: its directory must be root's and writable by nobody else", path) : 0;
}

static int
check_hash(int fd, const char *path, const char *want, struct err *e)
{
	uint8_t hash[HASH_LEN];
	char hex[HASH_HEX];
	int r;

	if (*want == '\0')
		return 0;
	if ((r = hash_fd(fd, 0, UINT64_MAX, hash, e)) < 0)
		return r;
	hash_hex(hash, hex);
	return strcmp(hex, want) == 0 ? 0 : err_set(e, ERR_CONF, "module %s: its SHA-256 is %s, not module_sha256", path, hex);
}

/* Who can write the module can use the key (threat T13). */
static int
check_module(const struct conf_token *c, struct err *e)
{
	const char *path = c->module;
	char real[PATH_MAX];
	struct stat st;
	AUTO_FD fd = -1;
	int r;

	if (*path != '/')
		return err_set(e, ERR_CONF, "module: an absolute path is needed");
	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0 || fstat(fd, &st) < 0 || realpath(path, real) == NULL)
		return err_sys(e, ERR_CONF, "module %s", path);
	if (!S_ISREG(st.st_mode) || others_change(&st))
		return err_set(e, ERR_CONF, "module %s: must be root's and writable by nobody else", path);
	if ((r = check_dir(path, e)) < 0 || (r = check_dir(real, e)) < 0)
		return r;
	return check_hash(fd, path, c->module_sha256, e);
}

static int
load_module(struct p11 *p, const struct conf_token *c, struct err *e)
{
	CK_RV (*get)(CK_FUNCTION_LIST **);
	const char *path = c->module;
	int r;

	if ((r = check_module(c, e)) < 0)
		return r;
	if ((p->ctx = PKCS11_CTX_new()) == NULL)
		return err_set(e, ERR_MEM, "PKCS#11 context");
	ERR_load_PKCS11_strings();
	/* libp11 loads it and calls C_Initialize; ours is a second reference to the same object */
	if (PKCS11_CTX_load(p->ctx, path) != 0)
		return err_set(e, ERR_CONF, "module %s can not be used: %s", path,
		    ERR_reason_error_string(ERR_peek_last_error()) != NULL ?
		        ERR_reason_error_string(ERR_peek_last_error()) : "not a PKCS#11 module");
	if ((p->module = dlopen(path, RTLD_NOW | RTLD_LOCAL)) == NULL)
		return err_set(e, ERR_CONF, "module %s: %s", path, dlerror());
	*(void **)&get = dlsym(p->module, "C_GetFunctionList");
	if (get == NULL || get(&p->f) != CKR_OK || p->f == NULL)
		return err_set(e, ERR_CONF, "module %s: no C_GetFunctionList", path);
	return 0;
}

/* --- token ------------------------------------------------------------------------------ */

static void
text_copy(char *dst, size_t size, const char *src)
{
	char shown[256];
	size_t n;

	path_display(src == NULL ? "" : src, shown, sizeof(shown));
	for (n = strlen(shown); n > 0 && shown[n - 1] == ' '; n--)
		shown[n - 1] = '\0';
	snprintf(dst, size, "%.*s", (int)(size - 1), shown);
}

static bool
token_fits(const PKCS11_TOKEN *t, const struct conf_token *c)
{
	char serial[64], label[64];

	text_copy(serial, sizeof(serial), t->serialnr);
	text_copy(label, sizeof(label), t->label);
	if (*c->serial == '\0' && *c->label == '\0')
		return t->initialized;
	return (*c->serial == '\0' || strcmp(serial, c->serial) == 0) &&
	    (*c->label == '\0' || strcmp(label, c->label) == 0);
}

static int
choose_slot(struct p11 *p, const struct conf_token *c, struct err *e)
{
	PKCS11_SLOT *found = NULL;
	unsigned fits = 0, tokens = 0;

	if (PKCS11_enumerate_slots(p->ctx, &p->slots, &p->nslots) != 0)
		return err_set(e, ERR_TOKEN_GONE, "module %s shows no readers", c->module);
	for (unsigned i = 0; i < p->nslots; i++) {
		if (p->slots[i].token == NULL)
			continue;
		tokens++;
		if (token_fits(p->slots[i].token, c)) {
			found = &p->slots[i];
			fits++;
		}
	}
	if (fits == 0)
		return err_set(e, ERR_TOKEN_GONE, "no token with%s%s%s%s is inserted (%u other)",
		    *c->serial ? " serial " : "", c->serial, *c->label ? " label " : "", c->label, tokens);
	if (fits > 1)
		return err_set(e, ERR_CONF, "token %s: %u tokens fit; give its serial", c->name, fits);
	p->slot = PKCS11_get_slotid_from_slot(found);
	text_copy(p->serial, sizeof(p->serial), found->token->serialnr);
	text_copy(p->label, sizeof(p->label), found->token->label);
	return 0;
}

int
p11_open(struct p11 *p, const struct conf_token *c, struct err *e)
{
	CK_RV rv;
	int r;

	*p = (struct p11){ 0 };
	if ((r = load_module(p, c, e)) < 0 || (r = choose_slot(p, c, e)) < 0)
		return r;
	rv = p->f->C_OpenSession(p->slot, CKF_SERIAL_SESSION, NULL, NULL, &p->session);
	if (rv != CKR_OK)
		return p11_fail(p, rv, "opening a session", e);
	p->in_session = true;
	return 0;
}

void
p11_close(struct p11 *p)
{
	if (p->in_session)
		p->f->C_CloseSession(p->session);
	if (p->slots != NULL)
		PKCS11_release_all_slots(p->ctx, p->slots, p->nslots);
	if (p->module != NULL)
		dlclose(p->module);
	if (p->ctx != NULL) {
		if (p->f != NULL)
			PKCS11_CTX_unload(p->ctx);
		PKCS11_CTX_free(p->ctx);
	}
	*p = (struct p11){ 0 };
}

int
p11_token_flags(struct p11 *p, CK_FLAGS *ret, struct err *e)
{
	CK_TOKEN_INFO info;
	CK_RV rv = p->f->C_GetTokenInfo(p->slot, &info);

	if (rv != CKR_OK)
		return p11_fail(p, rv, "asking for its state", e);
	*ret = info.flags;
	return 0;
}

/* --- objects ---------------------------------------------------------------------------- */

int
p11_find(struct p11 *p, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE ret[P11_OBJECTS_MAX], size_t *ret_n,
    struct err *e)
{
	CK_ATTRIBUTE by[] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_ULONG n = 0, got = 0;
	CK_RV rv = p->f->C_FindObjectsInit(p->session, by, 1);

	if (rv != CKR_OK)
		return p11_fail(p, rv, "looking for objects", e);
	do {
		rv = p->f->C_FindObjects(p->session, ret + n, P11_OBJECTS_MAX - n, &got);
		if (rv != CKR_OK || got > P11_OBJECTS_MAX - n)
			break;
		n += got;
	} while (got > 0 && n < P11_OBJECTS_MAX);
	p->f->C_FindObjectsFinal(p->session);
	if (rv != CKR_OK)
		return p11_fail(p, rv, "looking for objects", e);
	if (n >= P11_OBJECTS_MAX)
		return err_set(e, ERR_TOKEN_FAULT, "token '%s' holds more than %d objects", p->label, P11_OBJECTS_MAX - 1);
	*ret_n = n;
	return 0;
}

bool
p11_attr(struct p11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type, void *dst, size_t size, size_t *ret_len)
{
	CK_ATTRIBUTE a = { type, dst, size };

	if (p->f->C_GetAttributeValue(p->session, o, &a, 1) != CKR_OK || a.ulValueLen > size)
		return false;
	*ret_len = a.ulValueLen;
	return true;
}

bool
p11_attr_is(struct p11 *p, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type)
{
	CK_BBOOL b = CK_FALSE;
	size_t n;

	return p11_attr(p, o, type, &b, sizeof(b), &n) && n == sizeof(b) && b != CK_FALSE;
}
