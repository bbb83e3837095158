#include "agent/lib/derput.h"

void
derput_head(struct buf *b, uint8_t tag, size_t len)
{
	uint8_t bytes[sizeof(len)];
	unsigned n = 0;

	buf_put_u8(b, tag);
	if (len < 0x80) {
		buf_put_u8(b, (uint8_t)len);
		return;
	}
	for (size_t left = len; left > 0; left >>= 8)
		bytes[n++] = (uint8_t)left;
	buf_put_u8(b, (uint8_t)(0x80 | n));
	while (n > 0)
		buf_put_u8(b, bytes[--n]);
}

void
derput(struct buf *b, uint8_t tag, const void *content, size_t len)
{
	derput_head(b, tag, len);
	buf_put(b, content, len);
}
