/*
 * Page results: what is written reads back; every byte changed or cut is
 * noticed; lengths that lie are refused before memory is asked for.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "rules/pagefile.h"
#include "tests/unit/test.h"

static const char image[] = "image bytes, as they will stand in the PDF";
static const char mask[] = "mask";

static struct word words[] = {
	{ .box = { 1000, 2000, 30000, 12000 }, .base = 10000, .line = 0, .block = 0, .conf = 96, .text = "Größe" },
	{ .box = { -500, -7, 2, 3 }, .base = 1, .line = 65535, .block = 7, .conf = 0, .text = "" },
	{ .box = { 5000, 6000, 7000, 8000 }, .base = 8000, .conf = 100, .code = CODE_QR, .text = "BCD\n002" },
};

static struct pagefile
sample(void)
{
	struct pagefile p = {
		.page = 3, .media_w = 595276, .media_h = 841890, .rotate = 90,
		.matrix = { 595276, 0, 0, 841890, -1, 0 }, .dpi_x = 300, .dpi_y = 299, .skew_udeg = 1600, .conf = 91,
		.nwords = 2, .ncodes = 1, .words = words, .nobjects = 3,
		.objects = {
			{ .dict = "/Width 1/SMask @2", .len = sizeof(image) },
			{ .dict = "/N 3", .in_source = 1, .off = 77, .len = 1000000 },
			{ .dict = "/Width 1", .len = sizeof(mask) },
		},
	};

	memset(p.key, 0x5A, sizeof(p.key));
	return p;
}

static int
write_sample(void)
{
	struct err e = { 0 };
	struct pagefile p = sample();
	struct pagefile_out *o;
	uint64_t len;
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (pagefile_begin(fd, &p, &o, &e) < 0 || pagefile_stream(o, image, 10, &e) < 0 ||
	    pagefile_stream(o, image + 10, sizeof(image) - 10, &e) < 0 || pagefile_stream(o, mask, sizeof(mask), &e) < 0 ||
	    pagefile_end(o, &len, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	CHECK(len == (uint64_t)lseek(fd, 0, SEEK_END), "the length told is the file's");
	return fd;
}

static void
test_round(int fd)
{
	struct pagefile p, want = sample();
	struct err e = { 0 };
	char back[sizeof(image)], path[40];
	AUTO_FD unreadable = -1;
	struct pagefile_check piece;
	uint64_t pieces = 0;
	int32_t w, h;
	int r;

	CHECK(pagefile_check(fd, want.key, &e) == 0, "the core finds it whole");
	CHECK(pagefile_begin_check(fd, want.key, &piece, &e) == 0 && piece.off == 0 && piece.total == (uint64_t)lseek(fd, 0, SEEK_END),
	    "by its header, of which it reads no more");
	while ((r = pagefile_check_on(fd, &piece, 100, &e)) == 1)
		pieces++;
	CHECK(r == 0 && pieces == (piece.total - 1) / 100 && pieces > 0, "and in %llu pieces by its checksum", (unsigned long long)pieces + 1);
	CHECK(pagefile_read(fd, &p, &e) == 0, "it reads back %s", e.text);
	CHECK(p.page == 3 && p.media_w == 595276 && p.media_h == 841890 && p.rotate == 90 && p.dpi_x == 300 &&
	    p.dpi_y == 299 && p.skew_udeg == 1600 && p.conf == 91 && memcmp(p.matrix, want.matrix, sizeof(p.matrix)) == 0 &&
	    memcmp(p.key, want.key, HASH_LEN) == 0, "the header is as written");
	CHECK(p.nwords == 2 && strcmp(p.words[0].text, "Größe") == 0 && memcmp(&p.words[0].box, &words[0].box, sizeof(struct box)) == 0 &&
	    p.words[0].conf == 96 && p.words[1].line == 65535 && p.words[1].block == 7 && p.words[1].box.x0 == -500, "the words too");
	CHECK(p.ncodes == 1 && p.words[2].code == CODE_QR && strcmp(p.words[2].text, "BCD\n002") == 0 && p.words[2].box.y1 == 8000 &&
	    p.words[0].code == CODE_NONE, "and the code behind them");
	CHECK(p.nobjects == 3 && strcmp(p.objects[0].dict, "/Width 1/SMask @2") == 0 && p.objects[1].in_source == 1 &&
	    p.objects[1].off == 77 && p.objects[1].len == 1000000, "the objects too");
	CHECK(io_pread_full(fd, back, p.objects[0].len, p.objects[0].off, &e) == 0 && memcmp(back, image, sizeof(image)) == 0,
	    "the image stands where its object says");
	CHECK(io_pread_full(fd, back, p.objects[2].len, p.objects[2].off, &e) == 0 && strcmp(back, mask) == 0, "the mask behind it");
	pagefile_view(&p, &w, &h);
	CHECK(w == 841890 && h == 595276, "a page turned by 90 degrees is seen wide");
	pagefile_done(&p);
	want.key[0] ^= 1;
	CHECK(pagefile_begin_check(fd, want.key, &piece, &e) == -ERR_DOC_CRASH && pagefile_check(fd, want.key, &e) == -ERR_DOC_CRASH,
	    "another key is refused: %s", e.text);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	unreadable = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(unreadable >= 0 && pagefile_check(unreadable, want.key, &e) == -ERR_IO, "one that can not be read is not called damaged: %s", e.text);
}

/* A memory file with these bytes. */
static int
copy_of(const uint8_t *data, size_t len)
{
	struct err e = { 0 };
	int fd = io_memfd("page", data, len, &e);

	if (fd < 0)
		exit(1);
	return fd;
}

static void
test_damage(int fd)
{
	uint8_t data[4096];
	struct err e = { 0 };
	struct pagefile p, good = sample();
	size_t len = (size_t)lseek(fd, 0, SEEK_END), missed = 0, read = 0;

	if (io_pread_full(fd, data, len, 0, &e) < 0)
		exit(1);
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			AUTO_FD bad = -1;

			data[i] ^= (uint8_t)(1 << bit);
			bad = copy_of(data, len);
			missed += pagefile_check(bad, good.key, &e) != -ERR_DOC_CRASH;
			if (pagefile_read(bad, &p, &e) == 0) { /* without the checksum some must still read safely */
				read++;
				pagefile_done(&p);
			}
			data[i] ^= (uint8_t)(1 << bit);
		}
	CHECK(missed == 0, "every bit turned is noticed by the checksum (%zu of %zu)", missed, len * 8);
	CHECK(read > 0 && read < len * 8, "the reader refuses what can not be (%zu of %zu read)", len * 8 - read, len * 8);
	missed = 0;
	for (size_t i = 0; i < len; i++) {
		AUTO_FD bad = copy_of(data, i);

		missed += pagefile_check(bad, good.key, &e) != -ERR_DOC_CRASH;
		if (pagefile_read(bad, &p, &e) == 0) {
			missed++;
			pagefile_done(&p);
		}
	}
	CHECK(missed == 0, "cut anywhere, it is refused");
}

/* A page so small that its map is. */
static int
write_ink(const struct ink *ink, struct err *e)
{
	struct pagefile p = { .media_w = 36000, .media_h = 7200, .rotate = 90, .nwords = 2, .words = words, .ink = *ink };
	struct pagefile_out *o;
	uint64_t len;
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (pagefile_begin(fd, &p, &o, e) < 0 || pagefile_end(o, &len, e) < 0)
		exit(1);
	return fd;
}

static void
test_ink(void)
{
	struct err e = { 0 };
	struct pagefile p;
	struct ink ink, back;
	int32_t square = 721;
	int fd;

	if (ink_init(&ink, 7200, 36000, &e) < 0)
		exit(1);
	ink_mark(&ink, &(struct box){ 1000, 30000, 1001, 30001 });
	fd = write_ink(&ink, &e);
	CHECK(pagefile_ink(fd, &back, &e) == 0 && back.w == 10 && back.h == 50 && back.square == INK_SQUARE, "the ink reads back");
	CHECK(ink_under(&back, &(struct box){ 1000, 30000, 1001, 30001 }) && !ink_under(&back, &(struct box){ 0, 0, 7200, 29000 }) &&
	    memcmp(ink.bits, back.bits, ink_bytes(&ink)) == 0, "bit for bit, as the reader sees the page");
	ink_done(&back);
	CHECK(pagefile_read(fd, &p, &e) == 0 && p.ink.bits == NULL && strcmp(p.words[0].text, "Größe") == 0,
	    "who reads the words has no map to free");
	pagefile_done(&p);
	for (int i = 0; i < 4; i++) { /* where the header says how wide a square is */
		uint8_t byte = (uint8_t)(square >> (24 - 8 * i));

		if (io_pwrite_full(fd, &byte, 1, 136 + (uint64_t)i, &e) < 0)
			exit(1);
	}
	CHECK(pagefile_ink(fd, &back, &e) == -ERR_IO && pagefile_read(fd, &p, &e) == -ERR_IO, "squares of another size are refused: %s",
	    e.text);
	close(fd);
	fd = write_ink(&ink, &e);
	if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) < 0)
		exit(1);
	CHECK(pagefile_ink(fd, &back, &e) == -ERR_IO, "a map that is cut is refused: %s", e.text);
	close(fd);
	fd = write_sample();
	CHECK(pagefile_ink(fd, &back, &e) == 0 && back.square == 0 && back.bits == NULL, "a page without one says so");
	close(fd);
	ink_done(&ink);
}

static void
test_writer_limits(void)
{
	struct err e = { 0 };
	struct pagefile p = sample();
	struct pagefile_out *o;
	struct word w = words[0];
	char text[300];
	static char long_text[PAGEFILE_CODE_BYTES + 2];
	uint64_t len;
	AUTO_FD fd = memfd_create("page", MFD_CLOEXEC);

	memset(text, 'a', 256);
	text[256] = '\0';
	w.text = text;
	p.words = &w;
	p.nwords = 1;
	p.ncodes = 0;
	CHECK(pagefile_begin(fd, &p, &o, &e) == -ERR_DOC_SIZE, "a word of 256 bytes is refused");
	memset(long_text, 'a', PAGEFILE_CODE_BYTES + 1);
	w.text = long_text;
	w.code = CODE_QR;
	p.nwords = 0;
	p.ncodes = 1;
	CHECK(pagefile_begin(fd, &p, &o, &e) == -ERR_DOC_SIZE, "so is a code of 3,001 bytes");
	p.ncodes = PAGEFILE_CODES_MAX + 1;
	CHECK(pagefile_begin(fd, &p, &o, &e) == -ERR_DOC_SIZE, "and more codes than a page can have");
	CHECK(code_by_name("qr") == CODE_QR && code_by_name("patch") == CODE_PATCH && code_by_name("") == CODE_NONE &&
	    code_by_name("aztec") == CODE_NONE && strcmp(code_name(CODE_128), "code128") == 0, "kinds have names");
	p = sample();
	if (pagefile_begin(fd, &p, &o, &e) < 0)
		exit(1);
	CHECK(pagefile_stream(o, image, sizeof(image), &e) == 0 && pagefile_stream(o, image, sizeof(image), &e) == -ERR_IO,
	    "more stream bytes than promised are refused");
	CHECK(pagefile_end(o, &len, &e) == -ERR_IO, "and fewer at the end");
}

int
main(void)
{
	AUTO_FD fd = write_sample();

	test_round(fd);
	test_damage(fd);
	test_ink();
	test_writer_limits();
	return TEST_DONE();
}
