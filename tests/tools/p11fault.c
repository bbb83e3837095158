/*
 * p11fault - a PKCS#11 module that stands before another one and lets things
 * go wrong, for tests of what a card reader's life brings.
 *
 *	cc -D_GNU_SOURCE -shared -fPIC -I/usr/include/p11-kit-1 -o p11fault.so p11fault.c -ldl
 *
 * Environment, read once at load:
 *	P11FAULT_MODULE  the module behind
 *	P11FAULT_CTL     control file, read anew at every call; absent: no fault
 *	P11FAULT_LOG     a line "NAME ANSWER" is appended for each call that matters
 * Control file, one KEY=VALUE a line:
 *	removed=1       the token is out; after it came back, old sessions stay dead
 *	flags=0x40000   more CKF_* bits in C_GetTokenInfo
 *	tries=N         N wrong PINs lock it; the count is kept in P11FAULT_CTL.tries
 *	pinpad=PIN      C_Login(NULL) logs in with PIN; with one it is an argument error
 *	always_auth=1   keys show CKA_ALWAYS_AUTHENTICATE, C_Sign wants a context login
 *	sign_rv=0x30    what C_Sign answers; init_rv (C_SignInit), login_rv, open_rv likewise
 *	flip=1          one bit of each signature is wrong
 *	nocert=1        certificates can not be found
 *	hang=C_Sign     C_Sign, C_Login or C_OpenSession never comes back
 *	sign_ms=N       C_Sign takes N ms longer
 *
 * Log and count are opened at load, so that a confined process can write them;
 * the control file has to lie where that process may read.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST *behind;
static CK_FUNCTION_LIST shown;
static const char *ctl_path;
static int log_fd = -1, tries_fd = -1;

/* Sessions of the token as it is inserted now; emptied when it is pulled. */
#define LIVE_MAX 64
static CK_SESSION_HANDLE live[LIVE_MAX];
static bool looking_for_certs, context_login, sign_wants_login;

/* --- control file ----------------------------------------------------------------------- */

/* The value of a key; "" when it is not set. */
static const char *
text(const char *key)
{
	static char line[256];
	size_t n = strlen(key);
	FILE *f = ctl_path == NULL ? NULL : fopen(ctl_path, "re");

	if (f == NULL)
		return "";
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strncmp(line, key, n) == 0 && line[n] == '=') {
			fclose(f);
			return line + n + 1;
		}
	}
	fclose(f);
	return "";
}

static unsigned long
number(const char *key)
{
	return strtoul(text(key), NULL, 0);
}

static CK_RV
answer(const char *call, CK_RV rv)
{
	if (log_fd >= 0)
		dprintf(log_fd, "%s 0x%lx\n", call, rv);
	return rv;
}

static void
maybe_hang(const char *call)
{
	while (strcmp(text("hang"), call) == 0)
		sleep(1);
}

/* --- removal ---------------------------------------------------------------------------- */

static bool
removed(void)
{
	if (number("removed") == 0)
		return false;
	for (int i = 0; i < LIVE_MAX; i++)
		if (live[i] != 0) {
			behind->C_CloseSession(live[i]);
			live[i] = 0;
		}
	return true;
}

/* What any call on a session answers first. */
static CK_RV
alive(CK_SESSION_HANDLE s)
{
	if (removed())
		return CKR_DEVICE_REMOVED;
	for (int i = 0; i < LIVE_MAX; i++)
		if (live[i] == s)
			return CKR_OK;
	return CKR_SESSION_HANDLE_INVALID;
}

/* --- PIN tries -------------------------------------------------------------------------- */

static unsigned long
tries_used(void)
{
	char s[32] = "";

	return tries_fd >= 0 && pread(tries_fd, s, sizeof(s) - 1, 0) > 0 ? strtoul(s, NULL, 10) : 0;
}

static void
tries_set(unsigned long n)
{
	char s[32];
	int len = snprintf(s, sizeof(s), "%lu\n", n);

	if (tries_fd < 0 || ftruncate(tries_fd, 0) < 0 || pwrite(tries_fd, s, (size_t)len, 0) != len)
		abort();
}

/* --- slots and tokens ------------------------------------------------------------------- */

static CK_RV
get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n)
{
	if (present && removed()) {
		*n = 0;
		return CKR_OK;
	}
	return behind->C_GetSlotList(present, list, n);
}

static CK_RV
get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	CK_RV rv = behind->C_GetSlotInfo(slot, info);

	if (rv == CKR_OK && removed())
		info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
	return rv;
}

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	unsigned long limit = number("tries"), used = tries_used();
	CK_RV rv = removed() ? CKR_TOKEN_NOT_PRESENT : behind->C_GetTokenInfo(slot, info);

	if (rv != CKR_OK)
		return rv;
	info->flags |= number("flags");
	if (*text("pinpad") != '\0')
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (limit > 0 && used > 0)
		info->flags |= CKF_USER_PIN_COUNT_LOW;
	if (limit > 0 && used + 1 == limit)
		info->flags |= CKF_USER_PIN_FINAL_TRY;
	if (limit > 0 && used >= limit)
		info->flags |= CKF_USER_PIN_LOCKED;
	return CKR_OK;
}

/* --- sessions --------------------------------------------------------------------------- */

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *ctx, CK_NOTIFY notify, CK_SESSION_HANDLE *s)
{
	CK_RV rv = number("open_rv");

	maybe_hang("C_OpenSession");
	if (removed())
		rv = CKR_TOKEN_NOT_PRESENT;
	if (rv == CKR_OK)
		rv = behind->C_OpenSession(slot, flags, ctx, notify, s);
	for (int i = 0; rv == CKR_OK; i++) {
		if (i == LIVE_MAX)
			return CKR_SESSION_COUNT;
		if (live[i] == 0) {
			live[i] = *s;
			break;
		}
	}
	return answer("C_OpenSession", rv);
}

static CK_RV
close_session(CK_SESSION_HANDLE s)
{
	CK_RV rv = alive(s);

	for (int i = 0; i < LIVE_MAX; i++)
		if (live[i] == s)
			live[i] = 0;
	return rv == CKR_OK ? behind->C_CloseSession(s) : rv;
}

static CK_RV
get_session_info(CK_SESSION_HANDLE s, CK_SESSION_INFO *info)
{
	CK_RV rv = alive(s);

	return rv == CKR_OK ? behind->C_GetSessionInfo(s, info) : rv;
}

/* SoftHSM's keys want no context login: its PIN is compared with the one that logged in. */
static CK_RV
login_behind(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
	static CK_UTF8CHAR known[64];
	static CK_ULONG known_n;
	CK_RV rv;

	if (user == CKU_CONTEXT_SPECIFIC) {
		context_login = n == known_n && memcmp(pin, known, n) == 0;
		return context_login ? CKR_OK : CKR_PIN_INCORRECT;
	}
	rv = behind->C_Login(s, user, pin, n);
	if (rv == CKR_OK && n <= sizeof(known)) {
		memcpy(known, pin, n);
		known_n = n;
	}
	return rv;
}

static CK_RV
login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
	unsigned long limit = number("tries"), used = tries_used();
	char pad[64];
	CK_RV rv = alive(s);

	maybe_hang("C_Login");
	if (rv == CKR_OK)
		rv = number("login_rv");
	if (rv == CKR_OK && limit > 0 && used >= limit)
		rv = CKR_PIN_LOCKED;
	snprintf(pad, sizeof(pad), "%s", text("pinpad"));
	if (rv == CKR_OK && *pad != '\0') {
		if (pin != NULL)
			return answer("C_Login", CKR_ARGUMENTS_BAD);
		pin = (CK_UTF8CHAR *)pad;
		n = strlen(pad);
	}
	if (rv == CKR_OK) {
		rv = login_behind(s, user, pin, n);
		if (rv == CKR_OK || rv == CKR_PIN_INCORRECT)
			tries_set(rv == CKR_OK ? 0 : used + 1);
	}
	return answer(user == CKU_CONTEXT_SPECIFIC ? "C_Login(context)" : "C_Login", rv);
}

static CK_RV
logout(CK_SESSION_HANDLE s)
{
	CK_RV rv = alive(s);

	return answer("C_Logout", rv == CKR_OK ? behind->C_Logout(s) : rv);
}

/* --- objects ---------------------------------------------------------------------------- */

static CK_RV
find_objects_init(CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = alive(s);

	looking_for_certs = false;
	for (CK_ULONG i = 0; i < n; i++)
		if (a[i].type == CKA_CLASS && *(CK_OBJECT_CLASS *)a[i].pValue == CKO_CERTIFICATE)
			looking_for_certs = true;
	return rv == CKR_OK ? behind->C_FindObjectsInit(s, a, n) : rv;
}

static CK_RV
find_objects(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *o, CK_ULONG max, CK_ULONG *n)
{
	CK_RV rv = alive(s);

	if (rv == CKR_OK && looking_for_certs && number("nocert") != 0) {
		*n = 0;
		return CKR_OK;
	}
	return rv == CKR_OK ? behind->C_FindObjects(s, o, max, n) : rv;
}

static CK_RV
get_attribute_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = alive(s);

	if (rv == CKR_OK)
		rv = behind->C_GetAttributeValue(s, o, a, n);
	if (number("always_auth") != 0)
		for (CK_ULONG i = 0; i < n; i++)
			if (a[i].type == CKA_ALWAYS_AUTHENTICATE && a[i].pValue != NULL && a[i].ulValueLen == sizeof(CK_BBOOL))
				*(CK_BBOOL *)a[i].pValue = CK_TRUE;
	return rv;
}

/* --- signing ---------------------------------------------------------------------------- */

static CK_RV
sign_init(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	CK_RV rv = alive(s);

	sign_wants_login = number("always_auth") != 0;
	context_login = false;
	if (rv == CKR_OK)
		rv = number("init_rv");
	return answer("C_SignInit", rv == CKR_OK ? behind->C_SignInit(s, m, key) : rv);
}

static CK_RV
sign(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out, CK_ULONG *out_n)
{
	CK_RV rv = alive(s);

	maybe_hang("C_Sign");
	usleep((useconds_t)number("sign_ms") * 1000);
	if (rv == CKR_OK && sign_wants_login && !context_login)
		rv = CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK && (rv = number("sign_rv")) != CKR_OK) {
		CK_BYTE unseen[1024];
		CK_ULONG len = sizeof(unseen);

		behind->C_Sign(s, in, n, unseen, &len); /* a failed C_Sign ends the operation */
		return answer("C_Sign", rv);
	}
	if (rv == CKR_OK)
		rv = behind->C_Sign(s, in, n, out, out_n);
	if (rv == CKR_OK && number("flip") != 0)
		out[*out_n / 2] ^= 1;
	return answer("C_Sign", rv);
}

/* --- the list --------------------------------------------------------------------------- */

static bool
load(void)
{
	const char *path = getenv("P11FAULT_MODULE"), *log = getenv("P11FAULT_LOG");
	CK_RV (*get)(CK_FUNCTION_LIST **);
	char tries[4096];
	void *so = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (so == NULL)
		return false;
	*(void **)&get = dlsym(so, "C_GetFunctionList");
	if (get == NULL || get(&behind) != CKR_OK)
		return false;
	if (log != NULL)
		log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if ((ctl_path = getenv("P11FAULT_CTL")) != NULL) {
		snprintf(tries, sizeof(tries), "%s.tries", ctl_path);
		tries_fd = open(tries, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	return true;
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
	if (behind == NULL && !load())
		return CKR_GENERAL_ERROR;
	shown = *behind;
	shown.C_GetFunctionList = C_GetFunctionList;
	shown.C_GetSlotList = get_slot_list;
	shown.C_GetSlotInfo = get_slot_info;
	shown.C_GetTokenInfo = get_token_info;
	shown.C_OpenSession = open_session;
	shown.C_CloseSession = close_session;
	shown.C_GetSessionInfo = get_session_info;
	shown.C_Login = login;
	shown.C_Logout = logout;
	shown.C_FindObjectsInit = find_objects_init;
	shown.C_FindObjects = find_objects;
	shown.C_GetAttributeValue = get_attribute_value;
	shown.C_SignInit = sign_init;
	shown.C_Sign = sign;
	*ret = &shown;
	return CKR_OK;
}
