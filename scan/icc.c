#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "scan/blobs.h"
#include "scan/icc.h"

/* ISO 19005-2, 6.2.4.2: right colours, a class for pictures, version below 5. */
bool
icc_usable(const uint8_t *d, size_t n, uint32_t comps)
{
	static const char *const classes[] = { "scnr", "mntr", "prtr", "spac" };
	const char *space = comps == 4 ? "CMYK" : comps == 3 ? "RGB " : "GRAY";
	bool known = false;

	if (n < 132 || memcmp(d + 36, "acsp", 4) != 0 || d[8] > 4 || memcmp(d + 16, space, 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		known = known || memcmp(d + 12, classes[i], 4) == 0;
	return known;
}

int
icc_add(struct image *im, const uint8_t *icc, size_t n, uint32_t comps, struct err *e)
{
	uLongf len = compressBound(n);
	uint8_t *out;
	char *dict;

	if ((out = malloc(len)) == NULL || compress2(out, &len, icc, n, 9) != Z_OK ||
	    asprintf(&dict, "/N %u/Filter/FlateDecode", comps) < 0) {
		free(out);
		return err_set(e, ERR_MEM, "colour profile");
	}
	return image_add_object(im, dict, out, len, e);
}

int
icc_add_cmyk(struct image *im, const uint8_t *icc, size_t n, struct err *e)
{
	if (icc == NULL || !icc_usable(icc, n, 4)) {
		icc = blob_cmyk;
		n = blob_len(blob_cmyk, blob_cmyk_end);
	}
	return icc_add(im, icc, n, 4, e);
}
