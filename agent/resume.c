#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/jsonput.h"
#include "agent/resume.h"

static json_t *
j_head(uint64_t size, const uint8_t root[HASH_LEN])
{
	char hex[HASH_HEX];

	hash_hex(root, hex);
	return json_pack("{s:I, s:s}", "size", (json_int_t)size, "root", hex);
}

char *
resume_text(const struct resume *r)
{
	json_t *o = json_pack("{s:i, s:o, s:o, s:s, s:I}", "v", 1, "record",
	    r->has_record ? j_head(r->record_size, r->record_root) : json_null(), "disk",
	    j_head(r->disk_size, r->disk_root), "reason", r->reason, "uid", (json_int_t)r->uid);
	char *text = o == NULL ? NULL : json_text(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER);

	json_decref(o);
	return text;
}

static int
head_get(json_t *o, uint64_t *ret_size, uint8_t root[HASH_LEN])
{
	json_int_t size;
	const char *hex;

	if (json_unpack(o, "{s:I, s:s !}", "size", &size, "root", &hex) < 0 || size < 0 || hash_from_hex(hex, root) < 0)
		return -1;
	*ret_size = (uint64_t)size;
	return 0;
}

static int
unpack(json_t *o, struct resume *r)
{
	json_t *record, *disk;
	const char *reason;
	json_int_t uid;
	int v;

	if (json_unpack(o, "{s:i, s:o, s:o, s:s, s:I !}", "v", &v, "record", &record, "disk", &disk, "reason", &reason,
	        "uid", &uid) < 0 || v != 1 || uid < 0 || uid > UINT32_MAX || strlen(reason) >= sizeof(r->reason) ||
	    head_get(disk, &r->disk_size, r->disk_root) < 0)
		return -1;
	memcpy(r->reason, reason, strlen(reason) + 1);
	r->uid = (uint32_t)uid;
	r->has_record = !json_is_null(record);
	return r->has_record ? head_get(record, &r->record_size, r->record_root) : 0;
}

int
resume_parse(const char *text, struct resume *ret, struct err *e)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	struct resume r = { 0 };
	int bad = unpack(o, &r);

	json_decref(o);
	if (bad < 0)
		return err_set(e, ERR_LOG, "evidence.anchor/" RESUME_FILE " is not what `sealroom evidence resume` writes");
	*ret = r;
	return 0;
}
