#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "agent/lib/path.h"
#include "seal/evidence/note.h"

#define DASH "\xE2\x80\x94 " /* U+2014 and a blank begin a signature line */
#define DASH_LEN 4
#define ED25519 0x01
#define ED25519_SIG_LEN 64

/* Strict RFC 4648, 4: what does not encode back to the same text is refused. */
static int
b64_decode(const char *s, size_t len, uint8_t *out, size_t max, size_t *ret_len)
{
	uint8_t raw[768];
	char back[1025];
	size_t n;
	int got;

	if (len == 0 || len % 4 != 0 || len > 1024 || memchr(s, 0, len) != NULL)
		return -1;
	if ((got = EVP_DecodeBlock(raw, (const unsigned char *)s, (int)len)) < 0)
		return -1;
	n = (size_t)got - (s[len - 1] == '=') - (s[len - 2] == '=');
	if (n > max || EVP_EncodeBlock((unsigned char *)back, raw, (int)n) != (int)len || memcmp(back, s, len) != 0)
		return -1;
	memcpy(out, raw, n);
	*ret_len = n;
	return 0;
}

void
note_hash_b64(const uint8_t hash[HASH_LEN], char out[NOTE_HASH_B64])
{
	EVP_EncodeBlock((unsigned char *)out, hash, HASH_LEN);
}

int
note_decimal(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > 20 || (len > 1 && s[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned char)s[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	*ret = v;
	return 0;
}

/* Non-empty, UTF-8, no Unicode space, no '+'. */
static bool
name_ok(const char *s, size_t len)
{
	const char *end = s + len;

	if (len == 0 || len >= NOTE_NAME_MAX || !utf8_valid(s, len) || memchr(s, '+', len) != NULL)
		return false;
	while (s < end) {
		uint32_t c = utf8_next(&s, end);

		if (c <= 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
		    c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000)
			return false;
	}
	return true;
}

/* key id = SHA-256(name || LF || type || public key)[0:4] */
static void
key_id(const char *name, const uint8_t pub[32], uint8_t id[4])
{
	static const uint8_t mid[2] = { '\n', ED25519 };
	uint8_t h[HASH_LEN];
	struct hash *c = hash_open();

	hash_add(c, name, strlen(name));
	hash_add(c, mid, sizeof(mid));
	hash_add(c, pub, 32);
	hash_final(c, h);
	memcpy(id, h, 4);
}

int
note_key_parse(const char *vkey, struct note_key *ret, struct err *e)
{
	size_t len = strcspn(vkey, "\n"), n;
	const char *plus = memchr(vkey, '+', len), *second;
	struct note_key k = { 0 };
	uint8_t raw[33];
	char hex[9];

	if (strcmp(vkey + len, "") != 0 && strcmp(vkey + len, "\n") != 0)
		return err_set(e, ERR_LOG, "verifier key: more than one line");
	if (plus == NULL || (second = memchr(plus + 1, '+', len - (size_t)(plus + 1 - vkey))) == NULL ||
	    second - plus != 9 || !name_ok(vkey, (size_t)(plus - vkey)))
		return err_set(e, ERR_LOG, "verifier key: not name+id+key");
	memcpy(k.name, vkey, (size_t)(plus - vkey));
	if (b64_decode(second + 1, len - (size_t)(second + 1 - vkey), raw, sizeof(raw), &n) < 0 || n != 33 ||
	    raw[0] != ED25519)
		return err_set(e, ERR_LOG, "verifier key: not an Ed25519 key");
	memcpy(k.pub, raw + 1, 32);
	key_id(k.name, k.pub, k.id);
	hex_encode(k.id, 4, hex);
	if (memcmp(hex, plus + 1, 8) != 0)
		return err_set(e, ERR_LOG, "verifier key: its id does not fit name and key");
	*ret = k;
	return 0;
}

/* The last empty line separates text from signatures. */
static int
note_split(const char *text, size_t len, size_t *ret_body, struct err *e)
{
	if (len > NOTE_MAX)
		return err_set(e, ERR_LOG, "note: longer than %d bytes", NOTE_MAX);
	if (!utf8_valid(text, len))
		return err_set(e, ERR_LOG, "note: not UTF-8");
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 && text[i] != '\n')
			return err_set(e, ERR_LOG, "note: control character");
	if (len < 3 || text[len - 1] != '\n')
		return err_set(e, ERR_LOG, "note: does not end with a line");
	for (size_t i = len - 1; i > 0; i--) {
		if (text[i] != '\n' || text[i - 1] != '\n')
			continue;
		if (i == len - 1)
			return err_set(e, ERR_LOG, "note: no signature");
		*ret_body = i;
		return 0;
	}
	return err_set(e, ERR_LOG, "note: no empty line before the signatures");
}

static bool
ed25519_holds(const struct note_key *key, const uint8_t sig[ED25519_SIG_LEN], const char *text, size_t len)
{
	EVP_PKEY *pk = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->pub, sizeof(key->pub));
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = pk != NULL && c != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, pk) == 1 &&
	    EVP_DigestVerify(c, sig, ED25519_SIG_LEN, (const unsigned char *)text, len) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(pk);
	return ok;
}

/* One signature line: 1 a known key's and good, 0 not ours to judge, -code. */
static int
note_line(const char *line, size_t len, const char *text, size_t body, const struct note_key *keys, size_t nkeys,
    struct err *e)
{
	const char *name = line + DASH_LEN, *blank;
	uint8_t raw[768];
	size_t n, name_len;

	if (len < DASH_LEN || memcmp(line, DASH, DASH_LEN) != 0 ||
	    (blank = memchr(name, ' ', len - DASH_LEN)) == NULL || !name_ok(name, (size_t)(blank - name)) ||
	    b64_decode(blank + 1, len - (size_t)(blank + 1 - line), raw, sizeof(raw), &n) < 0 || n < 5)
		return err_set(e, ERR_LOG, "note: malformed signature line");
	name_len = (size_t)(blank - name);
	for (size_t i = 0; i < nkeys; i++) {
		if (strlen(keys[i].name) != name_len || memcmp(keys[i].name, name, name_len) != 0 ||
		    memcmp(keys[i].id, raw, 4) != 0)
			continue;
		if (n != 4 + ED25519_SIG_LEN || !ed25519_holds(&keys[i], raw + 4, text, body))
			return err_set(e, ERR_SIG, "note: the signature of %s is wrong", keys[i].name);
		return 1;
	}
	return 0;
}

int
note_verify(const char *text, size_t len, const struct note_key *keys, size_t nkeys, size_t *ret_body,
    struct err *e)
{
	const char *line, *end, *lf;
	size_t body = 0, good = 0, lines = 0;
	int r;

	if ((r = note_split(text, len, &body, e)) < 0)
		return r;
	end = text + len;
	for (line = text + body + 1; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end - line));
		if (++lines > NOTE_SIGS_MAX)
			return err_set(e, ERR_LOG, "note: more than %d signatures", NOTE_SIGS_MAX);
		if ((r = note_line(line, (size_t)(lf - line), text, body, keys, nkeys, e)) < 0)
			return r;
		good += (size_t)r;
	}
	if (good == 0)
		return err_set(e, ERR_SIG, "note: no signature by a known key");
	*ret_body = body;
	return 0;
}

int
checkpoint_parse(const char *text, size_t body, struct checkpoint *ret, struct err *e)
{
	const char *end = text + body, *line[3], *at = text;
	struct checkpoint cp = { 0 };
	size_t len[3], n;

	for (int i = 0; i < 3; i++) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		if (lf == NULL)
			return err_set(e, ERR_LOG, "checkpoint: fewer than three lines");
		line[i] = at;
		len[i] = (size_t)(lf - at);
		at = lf + 1;
	}
	if (len[0] == 0 || len[0] >= sizeof(cp.origin))
		return err_set(e, ERR_LOG, "checkpoint: origin missing or too long");
	memcpy(cp.origin, line[0], len[0]);
	if (note_decimal(line[1], len[1], &cp.size) < 0)
		return err_set(e, ERR_LOG, "checkpoint: the size is not a number");
	if (b64_decode(line[2], len[2], cp.root, HASH_LEN, &n) < 0 || n != HASH_LEN)
		return err_set(e, ERR_LOG, "checkpoint: the root is not a SHA-256 in base64");
	*ret = cp;
	return 0;
}

int
checkpoint_open(const char *text, size_t len, const struct note_key *key, struct checkpoint *ret, struct err *e)
{
	struct checkpoint cp;
	size_t body;
	int r;

	if ((r = note_verify(text, len, key, 1, &body, e)) < 0 || (r = checkpoint_parse(text, body, &cp, e)) < 0)
		return r;
	if (strcmp(cp.origin, key->name) != 0)
		return err_set(e, ERR_LOG, "checkpoint: its origin is not %s", key->name);
	*ret = cp;
	return 0;
}
