/*
 * taskmsg.h - parameters and results of tasks, as structs with one encoder and
 * one decoder each, so that both ends agree.
 *
 * Lengths on a page are in 1/1000 pt ("mpt"), int32.  Page coordinates are the
 * reader's view: the page as displayed, turned by its /Rotate, not straightened,
 * x to the right, y DOWN from the top left corner of the visible page (CropBox).
 * Pages count from 0 in every struct here; people see them from 1.
 * Times are microseconds since 1970 (UTC).  Every string has a bound and is
 * UTF-8 after decoding (bad bytes become '?'); decoders return -ERR_PEER and
 * leave *ret as it was.
 */
#ifndef SEALROOM_TASKMSG_H
#define SEALROOM_TASKMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "agent/lib/pageset.h"

#define MSG_NAME_MAX 64       /* names of rules, seals, tokens, folders */
#define MSG_TEXT_MAX 512      /* a line of text: stamp, value, file name (escaped or UTF-8) */
#define MSG_LINES_MAX 12
#define MSG_VALUES_MAX 32
#define MSG_FIELDS_MAX 16     /* of a ticket */
#define MSG_FIELD_KEY_MAX 32
#define MSG_CANDIDATES_MAX 32
#define MSG_REASONS_MAX 24
#define MSG_SUBJECT_MAX 256   /* of a certificate, one line for people */
#define JUDGED_MAX 16         /* signatures of one document that are judged */
#define EARLIER_MAX (JUDGED_MAX - 2) /* of them came with it: a seal and its time stamp have room */
#define MSG_NOTE_MAX 1024     /* a signed checkpoint */
#define MSG_RESUME_MAX 2048   /* a person's word that the log goes on after a restore */

struct box {
	int32_t x0, y0, x1, y1; /* mpt, reader's view, x0 < x1, y0 < y1 */
};

struct msg_field {
	char key[MSG_FIELD_KEY_MAX];
	char value[MSG_TEXT_MAX];
};

/* SETTINGS flags */
#define SETTINGS_OCR 1u       /* scan: load the recognition models */
#define SETTINGS_OCR_LOOK 16u /* scan: only look whether they are there and whole; no page can be read */
#define SETTINGS_LOG_EMPTY 2u /* seal of the log key: the log has no entry yet, a key may be made */
#define SETTINGS_PIN 8u       /* seal of a token: the PIN comes through a pipe, given by a person */
#define SETTINGS_NO_LOGIN 4u  /* seal: report certificate and token, never log in (sealroom check) */

/* The SETTINGS memfd: the effective settings as libconfig text, then named files. */
#define SETTINGS_FILES_MAX 64
#define SETTINGS_FILE_NAME_MAX (MSG_NAME_MAX + 8)
struct settings_file {
	char name[SETTINGS_FILE_NAME_MAX]; /* PEM: "seal" (trust), "earlier" (scan.signed_trust), "tsa:NAME"; of a seal's look: "image:NAME", "font:NAME" */
	uint8_t *data;                     /* malloc'ed, a NUL behind the end */
	uint32_t len;
};
struct settings {
	char *conf;          /* text, NUL-terminated, malloc'ed; "" where a role needs none */
	uint32_t nfiles;
	struct settings_file files[SETTINGS_FILES_MAX];
};
int settings_write(const struct settings *, int *ret_memfd, struct err *);
int settings_read(int fd, struct settings *ret, struct err *);
void settings_done(struct settings *);

/* READY of scan: what recognised, so that cached pages are only reused with the same engine. */
struct ready_scan {
	char engine[128];              /* "tesseract 5.3.0 deu+eng" */
	uint8_t data_hash[HASH_LEN];   /* of the language data files and of the program itself */
};
void ready_scan_put(struct buf *, const struct ready_scan *);
int ready_scan_get(struct buf *, struct ready_scan *ret, struct err *);

/*
 * What `sealroom token clear` writes into state/tokens/NAME: a person has seen to
 * the PIN and allows one login, also where the token still counts the wrong one.
 */
#define TOKEN_PERMIT "permit\n"

/* READY and STATUS of seal. */
enum seal_key { SEAL_KEY_NONE, SEAL_KEY_RSA, SEAL_KEY_EC_P256, SEAL_KEY_ED25519 };
#define SEAL_CHAIN_MAX 6
/* What a certificate can seal with, but readers will hardly take for a seal's. */
#define SEAL_ODD_CA 1u    /* it is an authority's own */
#define SEAL_ODD_USE 2u   /* its extended key usages are all for something else: servers, code, time stamps */
#define SEAL_ODD_ROOT 4u  /* no chain leads from it to a root of 'trust' */
#define SEAL_ODD_ALL 7u
struct ready_seal {
	uint32_t key_type;             /* enum seal_key */
	uint32_t odd;                  /* SEAL_ODD_*, of the certificate; for who only looks (SETTINGS_NO_LOGIN) */
	uint32_t key_bits;
	uint32_t logged_in;
	char token_serial[64];
	char token_label[64];
	char subject[256];             /* RFC 4514-like one line, for people */
	char org[128];                 /* organizationName, UTF-8; {org} */
	uint8_t cert_hash[HASH_LEN];   /* SHA-256 of the certificate's DER */
	int64_t not_before_us, not_after_us;
	uint32_t cms_max;              /* largest CMS without time stamp, bytes */
	uint64_t signatures;           /* since this process started */
	/* log key only */
	char vkey[256];
	uint64_t log_size;             /* anti-rollback record */
	uint8_t log_root[HASH_LEN];
	uint32_t log_has_record;
	char log_note[MSG_NOTE_MAX];   /* last checkpoint it signed; "" for none */
	char log_resume[MSG_RESUME_MAX]; /* a person gives that record up: `sealroom evidence resume` (JSON); "" */
};
void ready_seal_put(struct buf *, const struct ready_seal *);
int ready_seal_get(struct buf *, struct ready_seal *ret, struct err *);

/*
 * TASK_INSPECT: in = source; parameters, or none: inspect_params.  A scanned PDF of many
 * pages may be answered in brief: its end, its catalog and its first page are what
 * they must be, the others were not looked at.
 */
struct inspect_params {
	uint32_t brief_above; /* pages; 0: in full */
};
void inspect_params_put(struct buf *, const struct inspect_params *);
int inspect_params_get(struct buf *, struct inspect_params *ret, struct err *);

/* DOC_PDF: of scanned images, made anew.  DOC_PDF_KEPT: any other; its bytes stay, ours are appended. */
enum doc_kind { DOC_NONE, DOC_TIFF, DOC_JPEG, DOC_PNG, DOC_PDF, DOC_JP2, DOC_WEBP, DOC_PDF_KEPT, DOC_KIND_COUNT };
/* What the signatures of a PDF let others add to it (ISO 32000-1, 12.8.2.2 and 12.8.2.4; scan/permits.h). */
enum seal_allowed { SEAL_SEEN, SEAL_UNSEEN, SEAL_FORBIDDEN };
struct inspect_result {
	uint32_t kind;  /* enum doc_kind */
	uint32_t pages;
	uint32_t files; /* attachments, of a PDF that keeps its bytes */
	uint32_t sigs;  /* signatures and document time stamps that came with it; > 0: DOC_PDF_KEPT */
	uint32_t allowed; /* enum seal_allowed */
	char forbids[ERR_TEXT_MAX]; /* whose word that is, for people; "" with SEAL_SEEN */
	uint64_t pixels; /* of the largest page image; 0: none was measured */
	uint32_t brief;  /* 1: kind and pages are what it says itself; never in a record */
};
void inspect_result_put(struct buf *, const struct inspect_result *);
int inspect_result_get(struct buf *, struct inspect_result *ret, struct err *);
/* Record `inspect`, also of an earlier release, which knew of no attachments, sealed nothing that was signed, measured no page, or was never brief. */
int inspect_result_get_stored(struct buf *, struct inspect_result *ret, struct err *);
const char *doc_kind_name(uint32_t kind); /* "tiff" ... */
/* The kinds of task that read a page of such a document, and that draw one. */
uint32_t doc_page_task(uint32_t kind);
uint32_t doc_picture_task(uint32_t kind);

/*
 * Where a page's own description begins in the source, in formats that chain
 * their pages: the search for a later one begins there.  Found by a reader of
 * the same document, opaque to the core, and doubted like the document itself.
 */
struct page_mark {
	uint32_t page;
	uint64_t at;    /* 0: not known */
};

/* TASK_FILES: in = PDF, out = JSON, a list of its attachments (scan/files.h).  No parameters. */
#define ATTACHED_MAX 1000
struct files_result {
	uint32_t n;
	uint8_t hash[HASH_LEN]; /* SHA-256 of the list */
};
void files_result_put(struct buf *, const struct files_result *);
int files_result_get(struct buf *, struct files_result *ret, struct err *);

/* TASK_PAGE: in = source, out = page result file (rules/pagefile.h). */
struct page_params {
	uint32_t kind;  /* enum doc_kind, from inspect */
	uint32_t page;
	uint8_t key[HASH_LEN];
	struct page_mark mark; /* of this page or one before it */
	uint32_t unread;       /* 1: without its text, which takes too long to read */
	uint32_t codes;        /* 1: barcodes and patch codes are looked for, too */
};
struct page_result {
	uint32_t words;
	uint32_t rotate;  /* 0, 90, 180, 270: /Rotate of the result page */
	uint32_t conf;    /* mean word confidence, 0-100 */
	uint32_t blank;   /* 1: nothing on it at all; more than no words */
	uint64_t len;     /* bytes in out */
	struct page_mark mark; /* of this page */
};
void page_params_put(struct buf *, const struct page_params *);
int page_params_get(struct buf *, struct page_params *ret, struct err *);
void page_result_put(struct buf *, const struct page_result *);
int page_result_get(struct buf *, struct page_result *ret, struct err *);

/*
 * TASK_COMPOSE: in = source, out = base PDF.  TASK_EXPLAIN: the same, but out
 * receives JSON: every rule, what matched, where and why (rules/explain.h).
 * TASK_PART: out = a PDF of some pages alone, their images as they are, without
 * text; the same bytes whenever it is made again.  Result: struct part_result.
 */
struct compose_params {
	char id[ID_MAX];
	char folder[MSG_NAME_MAX];
	char name[MSG_TEXT_MAX];        /* source name for people, UTF-8 */
	uint8_t source_hash[HASH_LEN];
	int64_t received_us;
	uint32_t kind;
	uint32_t pages;
	char force_rule[MSG_NAME_MAX];  /* release --rule; "" */
	uint32_t force_at;              /* release --at given */
	uint32_t force_page;
	int32_t force_x, force_y;       /* mpt, reader's view: the box's top left corner */
	/* a ticket's words; the core has checked that the folder allows them */
	char want_rule[MSG_NAME_MAX];   /* this rule, whatever the pages say; "" */
	char want_seal[MSG_NAME_MAX];   /* instead of the rule's; "" */
	char want_name[MSG_TEXT_MAX];   /* of the result; "" */
	uint32_t nfields;
	struct msg_field fields[MSG_FIELDS_MAX]; /* {ticket.KEY} */
	/* of a PDF that came signed: nothing is added but the seal */
	uint32_t sigs;
	uint32_t allowed;               /* enum seal_allowed */
	uint32_t nsigners;
	char signers[EARLIER_MAX][MSG_SUBJECT_MAX]; /* subjects of the valid signatures */
	uint32_t stack;                 /* enum stack_may: what becomes of a stack with separator sheets */
	/* TASK_PART alone: these pages of the source */
	uint32_t first, last;
};
enum stack_may { STACK_MAY_NOT, STACK_MAY, STACK_HAS_TICKET };
#define STACK_PARTS_MAX 1000 /* documents into which a stack is divided; one of more is held */
enum place_mode { PLACE_NONE, PLACE_BOX, PLACE_INVISIBLE };

/* Pages of the result that show the seal, too, under the one signature, which is on another. */
#define MSG_MARKS_OWN_MAX 200 /* with the most pages, values and candidates it is still one message */
struct seal_marks {
	struct page_set pages;
	struct box box;                 /* where it stands on most of them */
	uint32_t nown;
	struct {
		uint32_t page;
		struct box box;
	} own[MSG_MARKS_OWN_MAX];       /* those on which it stands elsewhere; pages ascend */
};
/* NULL: no mark on this page. */
const struct box *seal_marks_box(const struct seal_marks *, uint32_t page);
struct compose_result {
	uint32_t hold;                  /* 0, or an err_code of class HOLD */
	char hold_text[ERR_TEXT_MAX];   /* English detail for hold */
	char hold_word[MSG_TEXT_MAX];   /* the words looked for, or the value's name */
	char rule[MSG_NAME_MAX];        /* "" when none applied */
	uint8_t rule_hash[HASH_LEN];    /* of the effective rule text */
	char seal[MSG_NAME_MAX];
	uint32_t place;                 /* enum place_mode */
	uint32_t place_page;            /* of the result */
	struct box place_box;
	char field[MSG_TEXT_MAX];       /* the empty signature field that is filled there; "": a new one */
	struct seal_marks marks;
	char name[MSG_TEXT_MAX];        /* result file name as the rule wants it, "" for NAME.pdf */
	uint32_t nvalues;
	struct {
		char key[MSG_NAME_MAX];
		char value[MSG_TEXT_MAX];
	} values[MSG_VALUES_MAX];       /* find.* */
	uint32_t ncandidates;           /* anchors seen, for the held picture */
	struct {
		uint32_t page;          /* of the source */
		struct box box;
	} candidates[MSG_CANDIDATES_MAX];
	uint32_t pages;                 /* of the result */
	struct page_set blank;          /* of the source; empty where nobody wants to know */
	uint32_t dropped;               /* 1: blank ones are not in the result */
	struct page_set estimated;      /* of the source: those whose size is an estimate */
	struct page_set unread;         /* of the source: those without text, because reading them took too long */
	/*
	 * Of a stack that is to be divided: the pages of the source that belong to no
	 * document, sheets and their blank backs; the runs between them are its documents
	 * (page_set_rest()).  Nothing above but the sets of pages is said then.  0 pages: no such stack.
	 */
	struct page_set outside;
	uint64_t len;                   /* bytes in out */
};
/* The page of the source that became this one of the result. */
uint32_t compose_source_page(const struct compose_result *, uint32_t page);
void compose_params_put(struct buf *, const struct compose_params *);
int compose_params_get(struct buf *, struct compose_params *ret, struct err *);
void compose_result_put(struct buf *, const struct compose_result *);
int compose_result_get(struct buf *, struct compose_result *ret, struct err *);
/* Record `plan`, also of earlier releases, which knew of no blank pages, of no unread ones, or of no stacks. */
int compose_result_get_stored(struct buf *, struct compose_result *ret, struct err *);
struct part_result {
	uint64_t len;                   /* bytes in out */
};
void part_result_put(struct buf *, const struct part_result *);
int part_result_get(struct buf *, struct part_result *ret, struct err *);

/*
 * TASK_FIELD: in = doc.pdf (or prepared revision), out = the update alone, to be
 * appended.  TASK_FINISH: a DocTimeStamp revision; only id, time_us, hole used.
 */
struct field_params {
	char id[ID_MAX];
	uint32_t place;                 /* enum place_mode */
	uint32_t place_page;
	struct box place_box;
	char field[MSG_TEXT_MAX];       /* the empty signature field to fill; "": a new one */
	struct seal_marks marks;
	char seal[MSG_NAME_MAX];        /* whose look it has, in the settings */
	char qr[MSG_TEXT_MAX];          /* finished text of the QR code; "" for none */
	uint32_t nlines;
	char lines[MSG_LINES_MAX][MSG_TEXT_MAX]; /* finished text, UTF-8 */
	char signer[MSG_TEXT_MAX];      /* /Name */
	char reason[MSG_TEXT_MAX];      /* /Reason; "" to leave out */
	char location[MSG_TEXT_MAX];    /* /Location; "" to leave out */
	char checkpoint[MSG_NOTE_MAX];  /* the log's head; "" to leave out */
	int64_t time_us;                /* /M */
	uint32_t hole;                  /* bytes of DER to reserve in /Contents */
};
struct field_result {
	uint64_t doc_len;               /* bytes of 'in' the update belongs to */
	uint64_t update_len;            /* bytes in out */
	uint64_t range[4];              /* /ByteRange in the finished file */
};
void field_params_put(struct buf *, const struct field_params *);
int field_params_get(struct buf *, struct field_params *ret, struct err *);
void field_result_put(struct buf *, const struct field_result *);
int field_result_get(struct buf *, struct field_result *ret, struct err *);

/*
 * TASK_PROOF: out = scratch; parameters as for TASK_FIELD: seal, lines, code and a box at 0,0 count.  No result:
 * the stamp can be drawn, or FAIL says why not (ERR_STAMP, ERR_ANCHOR_PLACE).
 */

/* TASK_SIGS: in = PDF, out = sigs file: struct sig_info records. No parameters. */
#define SIGS_MAX 64
#define SIGS_CMS_MAX (1024 * 1024)
struct sigs_result {
	uint32_t pages;
	uint32_t nsigs;
	uint32_t warnings;              /* qpdf warnings; > 0: not clean */
	uint32_t pdfa_part;             /* claim in XMP; 0: none */
	char pdfa_conformance;          /* 'B', 'U', 'A'; 0: none */
};
struct sig_info {
	char field[MSG_TEXT_MAX];
	char sub_filter[MSG_NAME_MAX];  /* "ETSI.CAdES.detached" ... */
	uint32_t is_timestamp;          /* /Type /DocTimeStamp */
	uint64_t range[4];
	uint32_t covers_revision;       /* range ends behind a %%EOF and white space, and leaves out the signature alone */
	uint32_t has_cert_key;          /* /Cert present (PAdES forbids it) */
	uint32_t has_signing_time_key;  /* /M present */
	int64_t claimed_us;             /* what /M says; 0: nothing, or no date */
	char checkpoint[MSG_NOTE_MAX];  /* our log head inside the dictionary; "" */
	uint8_t *cms;                   /* malloc'ed; DER with zero padding cut by its own length */
	size_t cms_len;
};
void sigs_result_put(struct buf *, const struct sigs_result *);
int sigs_result_get(struct buf *, struct sigs_result *ret, struct err *);
void sig_info_put(struct buf *, const struct sig_info *);
int sig_info_get(struct buf *, struct sig_info *ret, struct err *);
void sig_info_done(struct sig_info *);

/* TASK_PICTURE: in = source or PDF, out = PNG of one page with boxes. */
enum mark { MARK_FOUND, MARK_CANDIDATE, MARK_PLACE, MARK_REFUSED };
struct picture_params {
	uint32_t kind;
	uint32_t page;
	uint32_t rotate;                /* turn of the source image for the reader, clockwise */
	uint32_t gray;                  /* 1: sixteen grays are enough, so that many fit into one page for people */
	uint32_t nmarks;
	struct {
		uint32_t mark;              /* enum mark */
		struct box box;
	} marks[MSG_CANDIDATES_MAX];
	int32_t width_mpt, height_mpt;  /* reader's view of the page, for the scale of the boxes */
};
void picture_params_put(struct buf *, const struct picture_params *);
int picture_params_get(struct buf *, struct picture_params *ret, struct err *);

/*
 * TASK_STAMP (fetch): out = the TSA's answer, raw. TASK_PROBE: the same with a
 * fixed imprint, for sealroom check.
 */
struct stamp_params {
	char tsa[MSG_NAME_MAX];
	uint8_t imprint[HASH_LEN];
	uint64_t nonce;
};
struct stamp_result {
	uint32_t url;                   /* index of the URL that answered */
	uint64_t len;
};
void stamp_params_put(struct buf *, const struct stamp_params *);
int stamp_params_get(struct buf *, struct stamp_params *ret, struct err *);
void stamp_result_put(struct buf *, const struct stamp_result *);
int stamp_result_get(struct buf *, struct stamp_result *ret, struct err *);

/*
 * TASK_ATTACH (verify): in = the TSA's answer.  Checks it (status, imprint,
 * nonce, policy, chain to "tsa:NAME", EKU, genTime in the window).  With a CMS:
 * returns it with id-aa-timeStampToken added; imprint = SHA-256 of its
 * signature value, checked.  Without (cms_len 0): imprint as given, returns the
 * token itself (DocTimeStamp).
 */
struct attach_params {
	char tsa[MSG_NAME_MAX];
	uint32_t complete;              /* without CMS: the token comes back with its whole path and no other certificate */
	char policy[MSG_NAME_MAX];      /* dotted OID wanted; "" for any */
	uint8_t imprint[HASH_LEN];
	uint64_t nonce;
	int64_t window_from_us, window_to_us;
	const uint8_t *cms;             /* decoded: points into the message */
	size_t cms_len;
};
struct attach_result {
	int64_t gen_time_us;
	uint32_t token_len;
	uint8_t token_hash[HASH_LEN];   /* SHA-256 of the token's DER */
	const uint8_t *cms;             /* points into the message */
	size_t cms_len;
};
void attach_params_put(struct buf *, const struct attach_params *);
int attach_params_get(struct buf *, struct attach_params *ret, struct err *);
void attach_result_put(struct buf *, const struct attach_result *);
int attach_result_get(struct buf *, struct attach_result *ret, struct err *);

/*
 * TASK_JUDGE (verify): in = sigs file.  The core hashed the ranges of each
 * signature itself.  Levels as PAdES baseline.
 */
enum pades_level { LEVEL_NONE, LEVEL_B_B, LEVEL_B_T, LEVEL_B_LT, LEVEL_B_LTA };
enum verdict { VERDICT_PROVEN = 0, VERDICT_DISPROVEN = 1, VERDICT_UNKNOWN = 2 };
struct judge_params {
	int64_t now_us;
	int64_t earlier_us;             /* when those of others are judged for; 0: now_us */
	uint64_t file_len;
	uint32_t nsigs;
	uint8_t range_hash[SIGS_MAX][HASH_LEN];
	struct hash_wide range_wide[SIGS_MAX]; /* what is not known is judged by SHA-256 alone */
	uint8_t earlier[SIGS_MAX];      /* 1: by others, and judged as such (seal/verify/judge.h) */
};
struct judged_sig {
	uint32_t verdict;               /* enum verdict */
	uint32_t level;                 /* enum pades_level */
	uint32_t is_timestamp;
	uint32_t covers_file;           /* range reaches the end of the file */
	uint32_t expired;               /* UNKNOWN for no other reason than that its certificate has ended */
	char field[MSG_NAME_MAX];
	char signer[MSG_SUBJECT_MAX];
	uint8_t cert_hash[HASH_LEN];
	int64_t claimed_us;             /* its own word for when: /M, else signing-time; 0: none */
	int64_t gen_time_us;            /* 0: no time stamp */
	char tsa_signer[MSG_SUBJECT_MAX];
	uint8_t token_hash[HASH_LEN];   /* zeros: none */
	char qualified[64];             /* what QcStatements prove: "eseal qscd", "none" ... */
	uint32_t nreasons;
	char reasons[MSG_REASONS_MAX][160];
};
struct judge_result {
	uint32_t verdict;               /* the worst of all; no signature: unknown */
	uint32_t nsigs;
	struct judged_sig sigs[JUDGED_MAX];
};
void judge_params_put(struct buf *, const struct judge_params *);
int judge_params_get(struct buf *, struct judge_params *ret, struct err *);
void judge_result_put(struct buf *, const struct judge_result *);
int judge_result_get(struct buf *, struct judge_result *ret, struct err *);
/*
 * TASK_RECORD (verify): in = u32 n, n SHA-256 of the objects it should cover, then
 * the evidence record (RFC 4998).  Are all of them proven to have been there?
 */
#define ERS_OBJECTS_MAX 8192u
#define ERS_RECORD_MAX (4u * 1024 * 1024)
#define ERS_STAMPS_MAX 64u
struct ers_params {
	int64_t now_us;
	char tsa[MSG_NAME_MAX];         /* roots of this one; "": of all */
};
struct ers_stamp {
	int64_t gen_time_us, not_after_us; /* of its certificate */
	uint8_t token_hash[HASH_LEN];
	char signer[256];
};
struct ers_result {
	uint32_t verdict;               /* enum verdict */
	uint32_t others;                /* objects covered beside those that were given */
	uint32_t nstamps;               /* the first says since when */
	struct ers_stamp stamps[ERS_STAMPS_MAX];
	uint32_t nreasons;
	char reasons[MSG_REASONS_MAX][160];
};
void ers_params_put(struct buf *, const struct ers_params *);
int ers_params_get(struct buf *, struct ers_params *ret, struct err *);
void ers_result_put(struct buf *, const struct ers_result *);
int ers_result_get(struct buf *, struct ers_result *ret, struct err *);
const char *level_name(uint32_t level); /* "B-T"; "-" for none */
uint32_t level_by_name(const char *);   /* LEVEL_NONE if unknown */

#endif
