#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/lib/buf.h"

#include "scan/image.h"

/*
 * Both codings leave repetitions to be found: a G4 line that is like the one
 * above, the blocks of an even ground.  What a few slices of a stream do not
 * promise is not tried, so that a noisy photograph costs next to nothing.
 */
#define LEVEL 3      /* higher ones find no more here */
#define MEM_LEVEL 9
#define SLICE ((size_t)8192)
#define SLICES 8u /* spread over the stream, its ends among them: margins are where most is saved */
#define WORTH 32u /* a part of the stream: less to be saved is left */

static int
take(const struct image_object *o, const struct source *s, uint64_t at, uint8_t *to, size_t n, struct err *e)
{
	if (o->in_source)
		return source_read(s, to, n, o->off + at, e);
	memcpy(to, o->data + at, n);
	return 0;
}

/* 1: a few slices, each deflated for itself, promise enough. */
static int
promising(const struct image_object *o, const struct source *s, struct err *e)
{
	uint8_t in[SLICE], out[SLICE + SLICE / 8 + 64];
	uint64_t all = 0;
	int r;

	for (uint64_t i = 0; o->len > SLICE * SLICES && i < SLICES; i++) {
		uLongf n = sizeof(out);

		if ((r = take(o, s, (o->len - SLICE) / (SLICES - 1) * i, in, SLICE, e)) < 0)
			return r;
		if (compress2(out, &n, in, SLICE, Z_BEST_SPEED) != Z_OK)
			return err_set(e, ERR_MEM, "Flate encoding failed");
		all += n;
	}
	return all <= SLICE * SLICES - SLICE * SLICES / WORTH;
}

/* 1: the whole stream is in out; 0: there is no room for it. */
static int
deflate_object(const struct image_object *o, const struct source *s, z_stream *z, struct err *e)
{
	uint8_t in[SLICE];
	uint64_t at = 0;
	int r, state = Z_OK;

	while (state == Z_OK && z->avail_out > 0) {
		if (z->avail_in == 0 && at < o->len) {
			size_t n = o->len - at < SLICE ? (size_t)(o->len - at) : SLICE;

			if ((r = take(o, s, at, in, n, e)) < 0)
				return r;
			z->next_in = in;
			z->avail_in = (uInt)n;
			at += n;
		}
		state = deflate(z, at == o->len ? Z_FINISH : Z_NO_FLUSH);
	}
	return state == Z_STREAM_END;
}

static const char *const codings[] = { "/CCITTFaxDecode", "/DCTDecode" };
static const char filter_key[] = "/Filter", parms_key[] = "/DecodeParms";

/* The stream's only filter, when it is one of the codings; else NULL.  *ret_at: its key in dict. */
static const char *
only_filter(const char *dict, const char **ret_at)
{
	const char *at = strstr(dict, "/Filter/");

	for (size_t i = 0; at != NULL && i < sizeof(codings) / sizeof(codings[0]); i++)
		if (strncmp(at + strlen(filter_key), codings[i], strlen(codings[i])) == 0) {
			*ret_at = at;
			return codings[i];
		}
	return NULL;
}

/* A filter and its parameters become the second of two (ISO 32000-1, 7.3.8.2 and 7.4.1). */
static char *
packed_dict(const char *dict, const char *at, const char *coding)
{
	const char *rest = at + strlen(filter_key) + strlen(coding), *parms = rest + strlen(parms_key), *end;
	AUTO_BUF b;

	buf_init(&b, strlen(dict) + 64);
	buf_printf(&b, "%.*s%s[/FlateDecode%s]", (int)(at - dict), dict, filter_key, coding);
	if (strncmp(rest, parms_key, strlen(parms_key)) == 0 && (end = strstr(parms, ">>")) != NULL) {
		rest = end + strlen(">>");
		buf_printf(&b, "%s[null%.*s]", parms_key, (int)(rest - parms), parms);
	}
	buf_printf(&b, "%s", rest);
	return buf_take_text(&b);
}

/* The object's stream deflated, malloc'ed; NULL without an error: too little is saved by it. */
static int
pack(const struct image_object *o, const struct source *s, uint8_t **ret, uint64_t *ret_len, struct err *e)
{
	size_t room = (size_t)(o->len - o->len / WORTH);
	z_stream z = { 0 };
	int r;

	*ret = NULL;
	if ((r = promising(o, s, e)) <= 0)
		return r;
	if ((*ret = malloc(room)) == NULL || deflateInit2(&z, LEVEL, Z_DEFLATED, 15, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		r = err_set(e, ERR_MEM, "no memory to deflate an image of %llu bytes", (unsigned long long)o->len);
	} else {
		z.next_out = *ret;
		z.avail_out = (uInt)room;
		r = deflate_object(o, s, &z, e);
		*ret_len = z.total_out;
		deflateEnd(&z);
	}
	if (r <= 0) {
		free(*ret);
		*ret = NULL;
	}
	return r < 0 ? r : 0;
}

int
image_pack(struct image *im, const struct source *s, struct err *e)
{
	struct image_object *o = &im->objects[0];
	const char *at, *coding;
	uint64_t len = 0;
	uint8_t *data;
	char *dict;
	int r;

	if (im->nobjects == 0 || o->len > UINT32_MAX || (coding = only_filter(o->dict, &at)) == NULL)
		return 0;
	if ((r = pack(o, s, &data, &len, e)) < 0 || data == NULL)
		return r;
	if ((dict = packed_dict(o->dict, at, coding)) == NULL) {
		free(data);
		return err_set(e, ERR_MEM, "page image");
	}
	free(o->dict);
	free(o->data);
	*o = (struct image_object){ .dict = dict, .data = data, .len = len };
	return 0;
}
