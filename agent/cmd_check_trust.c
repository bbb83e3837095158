/*
 * The roots of scan.signed_trust, a file of the admin's own: certificates that can be
 * read and still hold, and no secret among them.
 *
 * The one DER that this command reads by itself; what documents bring is read by
 * sealroom-verify alone.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cmd_checkint.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#define KEY_NAME "scan.signed_trust"
#define FILE_MAX (1u << 20) /* sealroom-verify is given no more */
#define ROOTS_MAX 256       /* and takes less */

static void
subject_of(X509 *x, char dst[MSG_TEXT_MAX])
{
	AUTO_FREE char *line = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);

	path_display(line != NULL ? line : "", dst, MSG_TEXT_MAX);
}

/* What such an authority signed long ago is told as expired, unless it was stamped in time: that may be meant. */
static void
age_check(struct check *c, X509 *x)
{
	char subject[MSG_TEXT_MAX], until[CLOCK_ISO_MAX];
	struct tm end;

	if (X509_cmp_current_time(X509_get0_notAfter(x)) > 0 || !ASN1_TIME_to_tm(X509_get0_notAfter(x), &end))
		return;
	subject_of(x, subject);
	clock_iso((int64_t)timegm(&end) * 1000000, until);
	check_say(c, WARNING, KEY_NAME,
	    "scan.signed_trust: the root \"%s\" expired on %s; put its successor beside it, or take it out", subject, until);
}

/* How many certificates there are; -1: the next one can not be read. */
static int
roots_read(struct check *c, const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	unsigned long why;
	X509 *x;
	int n = 0;

	while (b != NULL && n < ROOTS_MAX && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		age_check(c, x);
		X509_free(x);
		n++;
	}
	BIO_free(b);
	why = ERR_peek_last_error();
	ERR_clear_error();
	if (n == ROOTS_MAX || ERR_GET_REASON(why) == PEM_R_NO_START_LINE) /* so does the end look */
		return n;
	check_say(c, MISTAKE, KEY_NAME,
	    "scan.signed_trust: certificate %d of '%s' can not be read; export it anew as PEM, or take it out", n + 1,
	    c->conf->scan.signed_trust);
	return -1;
}

bool
check_signed_trust(struct check *c)
{
	const char *path = c->conf->scan.signed_trust;
	struct err e = { 0 };
	AUTO_FREE char *pem = NULL;
	AUTO_BUF b;
	int n;

	buf_init(&b, FILE_MAX);
	if (io_read_file(AT_FDCWD, path, &b, &e) < 0 || (pem = buf_take_text(&b)) == NULL) {
		check_say(c, MISTAKE, KEY_NAME, "scan.signed_trust: %s; let it be a file, not a link, of %u MiB at most", e.text, FILE_MAX >> 20);
		return false;
	}
	if (strstr(pem, "PRIVATE KEY-----") != NULL)
		check_say(c, MISTAKE, KEY_NAME,
		    "scan.signed_trust: '%s' holds a private key; take it out, and have whoever owns it make a new one: others have "
		    "read this file", path);
	n = roots_read(c, pem);
	if (n == 0)
		check_say(c, MISTAKE, KEY_NAME,
		    "scan.signed_trust: '%s' holds no certificate in PEM; put the roots into it (from DER: openssl x509 -inform DER "
		    "-in FILE)", path);
	else if (n == ROOTS_MAX)
		check_say(c, MISTAKE, KEY_NAME, "scan.signed_trust: '%s' holds more than %d certificates; take fewer roots", path, ROOTS_MAX - 1);
	return n > 0 && n < ROOTS_MAX;
}
