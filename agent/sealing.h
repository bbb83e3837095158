/*
 * sealing.h - the records a sealed job leaves in its directory, for those who
 * report on it (jobjson.c, outcomelog.c).
 */
#ifndef SEALROOM_SEALING_H
#define SEALROOM_SEALING_H

#include "agent/core.h"

/* Record `prep`: what prepared.pdf was made for. Put with it, before the token is asked. */
struct prep {
	uint64_t range[4];
	uint32_t hole;               /* bytes of DER */
	int64_t time_us;
	char token[MSG_NAME_MAX];
	char org[128];
	uint8_t cert_hash[HASH_LEN];
	uint8_t digest[HASH_LEN];
	uint64_t log_size;           /* of the checkpoint inside the signature dictionary; 0: none */
};
/* Record `tst`: put once the answer is proven; cms is what goes into the hole. */
struct tst {
	int64_t gen_time_us;
	uint8_t token_hash[HASH_LEN];
	uint8_t *cms;                /* malloc'ed */
	size_t cms_len;
};

/* record: "prep", or "dtsprep" for the revision that carries a time stamp of its own. */
int prep_put(struct job *, const char *record, const struct prep *, struct err *);
int prep_get(struct job *, const char *record, struct prep *, struct err *);

/* Record `sig`: the CMS as the token's process gave it; *ret_cms points into b, which is the caller's. */
int sig_put(struct job *, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN], struct err *);
int sig_get(struct job *, struct buf *b, uint8_t imprint[HASH_LEN], const uint8_t **ret_cms, size_t *ret_len,
    struct err *);

/* record: "tst", or "dts". 1, 0: there is none, -code. */
int tst_put(struct job *, const char *record, const struct attach_result *, struct err *);
int tst_get(struct job *, const char *record, struct tst *, struct err *);
void tst_done(struct tst *);

/* state/tsa: the largest token seen from a TSA, so that the next hole fits. */
uint32_t token_seen(struct core *, const char *tsa);
int token_note(struct core *, const char *tsa, uint32_t len, struct err *);

/* ByteRange is the whole file less the hole, and the hole is "<000...0>" (ISO 32000-1, 12.8.1). */
int check_range(int fd, const uint64_t range[4], uint64_t doc_len, uint64_t size, uint32_t hole, struct err *);
int hash_ranges(int fd, const uint64_t range[4], uint8_t out[HASH_LEN], struct hash_wide *, struct err *);

/* The first half of check_range(): no byte is read. */
int check_range_shape(const uint64_t range[4], uint64_t doc_len, uint64_t size, uint32_t hole, struct err *);

/* What a stepped part of sealing needs until it is done; one at a time, j->sealwork. */
struct sealwork {
	int doc;                     /* read from; -1 */
	int made;                    /* written to; -1 */
	uint64_t doc_size, size;
	struct prep prep;
	char *hex;                   /* what goes into the hole, malloc'ed */
	size_t hex_len;
	uint64_t hex_at;
	struct judge_params *judge;  /* malloc'ed */
	struct siglist *list;        /* malloc'ed: what is judged */
	uint32_t ours, stamp;        /* indices there; stamp: of its time stamp in a revision of its own, or list->n */
	struct earlier *earlier;     /* malloc'ed: being judged (earlier.h) */
	struct token_line *line;     /* in which it is counted (tokens.h); NULL: in none */
	uint32_t reloads;            /* as core.reloads was when the stamp was begun */
	uint64_t prepared_ms;        /* a stamp is drawn, prepared.pdf and prep are on disk since; 0: not */
	void (*then)(struct job *);  /* what comes when the hole is filled */
};
/* A new one and j->steps with it, in the place of what was there; NULL with *e set. */
struct sealwork *sealwork_new(struct job *, struct err *);
/* Has a child judge the list in j->side by j->sealwork->judge, as of now. */
int sealwork_judge(struct job *, task_cb *, struct err *);

/* The settings of the job's seal, with its plan loaded; NULL with *e set. */
const struct conf_seal *seal_of(struct job *, struct err *);

#endif
