#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/softkey.h"

#define PEM_MAX 4096
#define ED25519_TYPE 0x01
#define KEY_LEN 32
#define SIG_LEN 64
#define ID_LEN_NOTE 4

struct softkey {
	EVP_PKEY *key;
	char name[SOFTKEY_NAME_MAX + 1];
	uint8_t public[KEY_LEN];
	uint8_t id[ID_LEN_NOTE];
};

/* --- the file --------------------------------------------------------------------------- */

static int
check_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_KEY, "log key %s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077) != 0)
		return err_set(e, ERR_KEY, "log key %s: must be a file of user %u with mode 0400", path, geteuid());
	return 0;
}

/* A key with a password would ask for it on the terminal of a daemon. */
static int
no_password(char *dst, int size, int writing, void *ctx)
{
	(void)dst;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static int
parse_key(const char *path, const uint8_t *pem, size_t n, EVP_PKEY **ret, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)n);
	EVP_PKEY *key;

	if (bio == NULL)
		return err_set(e, ERR_MEM, "log key");
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (key == NULL || EVP_PKEY_is_a(key, "ED25519") != 1) {
		EVP_PKEY_free(key);
		return err_set(e, ERR_KEY, "log key %s: is no Ed25519 key in PEM without a password", path);
	}
	*ret = key;
	return 0;
}

static int
read_key(const char *path, EVP_PKEY **ret, struct err *e)
{
	uint8_t pem[PEM_MAX];
	uint64_t size;
	int r;
	AUTO_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno == EIO ? ERR_IO : ERR_KEY, "log key %s", path);
	if ((r = check_file(fd, path, e)) < 0 || (r = io_size(fd, &size, e)) < 0)
		return r;
	if (size > sizeof(pem))
		return err_set(e, ERR_KEY, "log key %s: is no key", path);
	if ((r = io_read_full(fd, pem, size, e)) == 0)
		r = parse_key(path, pem, size, ret, e);
	explicit_bzero(pem, sizeof(pem));
	return r;
}

/* The directory of a path, made when absent, and the last name in it. */
static int
open_parent(const char *path, const char **ret_name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int r;

	if (slash == NULL || slash == path || slash[1] == '\0' || (size_t)(slash - path) >= sizeof(dir))
		return err_set(e, ERR_CONF, "evidence.key: an absolute path is needed");
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	if ((r = io_mkdir_p(AT_FDCWD, dir, 0700, e)) < 0)
		return r;
	*ret_name = slash + 1;
	return io_open_dir(AT_FDCWD, dir, e);
}

static int
write_key(const char *path, EVP_PKEY *key, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	const char *name;
	char *pem;
	long n;
	int r;
	AUTO_FD dir = -1;

	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    (n = BIO_get_mem_data(bio, &pem)) <= 0) {
		BIO_free(bio);
		return err_set(e, ERR_MEM, "log key");
	}
	r = dir = open_parent(path, &name, e);
	if (r >= 0)
		r = io_put(dir, name, pem, (size_t)n, 0400, e);
	BIO_free(bio);
	return r;
}

static int
make_key(const char *path, EVP_PKEY **ret, struct err *e)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int r;

	if (key == NULL)
		return err_set(e, ERR_KEY, "no Ed25519 key could be made");
	if ((r = write_key(path, key, e)) < 0) {
		EVP_PKEY_free(key);
		return r;
	}
	*ret = key;
	return 0;
}

/* --- open ------------------------------------------------------------------------------- */

/* Signed note: a key name is not empty and has neither Unicode space nor plus. */
static int
check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);
	const char *s = name, *end = name + n;

	if (n == 0 || n > SOFTKEY_NAME_MAX || !utf8_valid(name, n))
		return err_set(e, ERR_CONF, "evidence.origin: 1 to %d bytes, as archive.example.org/log", SOFTKEY_NAME_MAX);
	while (s < end) {
		uint32_t c = utf8_next(&s, end);

		if (c <= 0x20 || c == '+' || c == 0x7F || c == 0x85 || c == 0xA0 || c == 0x1680 ||
		    (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
		    c == 0x3000)
			return err_set(e, ERR_CONF, "evidence.origin: must hold neither blanks nor '+'");
	}
	return 0;
}

/* key id = SHA-256(name || LF || type || public key)[0:4] */
static int
derive(struct softkey *k, struct err *e)
{
	const uint8_t head[] = { '\n', ED25519_TYPE };
	uint8_t sum[HASH_LEN];
	size_t n = KEY_LEN;
	struct hash *h;

	if (EVP_PKEY_get_raw_public_key(k->key, k->public, &n) != 1 || n != KEY_LEN)
		return err_set(e, ERR_KEY, "log key has no public half");
	h = hash_open();
	hash_add(h, k->name, strlen(k->name));
	hash_add(h, head, sizeof(head));
	hash_add(h, k->public, KEY_LEN);
	hash_final(h, sum);
	memcpy(k->id, sum, ID_LEN_NOTE);
	return 0;
}

static int
find_key(const char *path, bool may_make, EVP_PKEY **ret, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) == 0 || errno != ENOENT)
		return read_key(path, ret, e);
	if (may_make)
		return make_key(path, ret, e);
	return err_set(e, ERR_KEY, "log key %s is missing and the log is not empty: bring it back from its backup", path);
}

int
softkey_open(struct softkey **ret, const char *path, const char *name, bool may_make, struct err *e)
{
	struct softkey *k;
	int r;

	if ((r = check_name(name, e)) < 0)
		return r;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return err_set(e, ERR_MEM, "log key");
	memcpy(k->name, name, strlen(name) + 1);
	if ((r = find_key(path, may_make, &k->key, e)) < 0 || (r = derive(k, e)) < 0) {
		softkey_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

void
softkey_free(struct softkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

/* --- words ------------------------------------------------------------------------------ */

const char *
softkey_name(const struct softkey *k)
{
	return k->name;
}

void
softkey_vkey(const struct softkey *k, char vkey[SOFTKEY_VKEY_MAX])
{
	uint8_t raw[1 + KEY_LEN] = { ED25519_TYPE };
	char id[2 * ID_LEN_NOTE + 1], text[4 * ((sizeof(raw) + 2) / 3) + 1];

	memcpy(raw + 1, k->public, KEY_LEN);
	hex_encode(k->id, ID_LEN_NOTE, id);
	EVP_EncodeBlock((unsigned char *)text, raw, (int)sizeof(raw));
	snprintf(vkey, SOFTKEY_VKEY_MAX, "%s+%s+%s", k->name, id, text);
}

int
softkey_note(const struct softkey *k, const char *text, struct buf *ret, struct err *e)
{
	uint8_t raw[ID_LEN_NOTE + SIG_LEN];
	char line[4 * ((sizeof(raw) + 2) / 3) + 1];
	size_t n = SIG_LEN;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	int ok = c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL, k->key) == 1 &&
	    EVP_DigestSign(c, raw + ID_LEN_NOTE, &n, (const uint8_t *)text, strlen(text)) == 1 && n == SIG_LEN;

	EVP_MD_CTX_free(c);
	if (!ok)
		return err_set(e, ERR_KEY, "the log key does not sign");
	memcpy(raw, k->id, ID_LEN_NOTE);
	EVP_EncodeBlock((unsigned char *)line, raw, (int)sizeof(raw));
	buf_printf(ret, "%s\n\xE2\x80\x94 %s %s\n", text, k->name, line);
	return buf_ok(ret) ? 0 : err_set(e, ERR_MEM, "signed note");
}
