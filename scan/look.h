/*
 * look.h - what the seals look like: their settings, with the bytes of the
 * files that these name.
 *
 *	look_load(&looks, conf, settings, &e)   in the zygote: reads nothing but *settings
 *	look_of(looks, "stamp")                 NULL: there is no such seal
 *
 * Everything is looked at once, before the first document: a picture that can not
 * be decoded, a font that is no TrueType, a sign that the font lacks in a line's
 * own text are ERR_CONF and name their key.  Never freed, like all of scan.h.
 */
#ifndef SEALROOM_LOOK_H
#define SEALROOM_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct look_file {
	const uint8_t *data; /* NULL: none */
	size_t len;
};

struct look {
	const char *seal;
	const struct conf_look *conf;
	struct look_file image, font;
	uint32_t image_w, image_h; /* pixels */
};

struct looks {
	size_t n;
	struct look v[];
};

/* Takes the files of the looks out of *settings. */
int look_load(struct looks **ret, const struct conf *, struct settings *, struct err *);
const struct look *look_of(const struct looks *, const char *seal);

#endif
