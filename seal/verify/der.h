/*
 * der.h - a strict reader of DER (X.690, clause 10), for hostile bytes.
 *
 *	der_strict(p, n)                    once, over the whole: nothing but DER
 *	struct der d = { p, n };            a cursor over one or more elements
 *	der_take(&d, DER_SEQUENCE, &body)   next element's content; false if another comes
 *	der_end(&d)                         nothing left
 *
 * A struct der is a window into bytes somebody else owns; nothing is copied
 * and nothing is allocated.  On false the cursor stands where it stood.
 */
#ifndef SEALROOM_DER_H
#define SEALROOM_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BITS 0x03
#define DER_OCTETS 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_UTF8 0x0C
#define DER_TIME 0x18 /* GeneralizedTime */
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
#define DER_CONTEXT(n) (uint8_t)(0xA0u | (n)) /* [n], constructed */

#define DER_OID_TEXT 96

struct der {
	const uint8_t *p;
	size_t len;
};

/*
 * Is this exactly one element, in DER all the way down?  Definite minimal
 * lengths, low tag numbers, minimal integers, no constructed strings, at most
 * 32 levels.  The order of SET OF is not asked: what is signed is hashed as it
 * stands, and the sets of certificates are unsorted in many a good token.
 */
bool der_strict(const uint8_t *, size_t);

int der_peek(const struct der *);                                /* tag; -1 at the end */
bool der_take(struct der *, uint8_t tag, struct der *ret_body);
bool der_whole(struct der *, uint8_t tag, struct der *ret);      /* with tag and length */
bool der_any(struct der *, struct der *ret_whole);
bool der_end(const struct der *);
bool der_equal(const struct der *, const struct der *);

/* Of an element's content: */
bool der_u64(const struct der *integer, uint64_t *ret);          /* not negative, 64 bits */
bool der_oid_text(const struct der *oid, char out[DER_OID_TEXT]); /* "1.2.840.113549" */
bool der_oid_is(const struct der *oid, const char *dotted);
/* "20261122093430.5Z", the form RFC 3161, 2.4.2 allows; microseconds since 1970. */
bool der_time_us(const struct der *time, int64_t *ret);

/* AlgorithmIdentifier: its OID as text and its parameters (empty when absent). */
bool der_algorithm(struct der *, char oid[DER_OID_TEXT], struct der *ret_params);
bool der_params_empty(const struct der *params);                 /* absent or NULL */

#endif
