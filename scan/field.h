/*
 * field.h - the revision that carries a signature: stamp, field, signature
 * dictionary with a hole for the CMS.
 *
 *	field_append(in, out, FIELD_SEAL, &params, look, false, &result, &e)
 *
 * in is a whole PDF, base file or with revisions already; out receives only the
 * bytes to append.  Replaced are the page (Annots), the catalog (AcroForm), or the
 * objects that hold these arrays; nothing else, and no stream.  The signature
 * dictionary is an object of its own, written plain.  Its /ByteRange covers all
 * of the finished file, to the last byte after %%EOF, but the hole with its angle
 * brackets; all offsets come from the writer, none is searched for.
 *
 * A field without a place is there but not seen (Rect [0 0 0 0]).  Instead of a new
 * one the document's own can be filled (formfield.h): then the page stays as it is,
 * and the field gets /V and its look.  Marks on other pages are annotations with the
 * same look, in the same revision, so that the one signature covers them.
 */
#ifndef SEALROOM_FIELD_H
#define SEALROOM_FIELD_H

#include <stdbool.h>

#include "agent/lib/err.h"
#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "scan/look.h"

/* The log's checkpoint, as a text string, in our signature dictionaries. */
#define FIELD_CHECKPOINT_KEY "/SealroomCheckpoint"
/* What the names of our fields begin with. */
#define FIELD_SEAL_NAME "Seal"
#define FIELD_TIMESTAMP_NAME "Timestamp"
#define FIELD_HOLE_MAX (1024u * 1024u)

enum field_kind {
	FIELD_SEAL,      /* /Sig, ETSI.CAdES.detached */
	FIELD_TIMESTAMP, /* /DocTimeStamp, ETSI.RFC3161; never seen */
};

/* cidset: for tests, what a PDF/A-1 validator wants of the stamp's font. */
/* The look is the stamp's, which only a FIELD_SEAL with a place has; else NULL is fine. */
int field_append(int in, int out, enum field_kind, const struct field_params *, const struct look *, bool cidset,
    struct field_result *ret, struct err *);

task_run field_run; /* TASK_FIELD */

#endif
