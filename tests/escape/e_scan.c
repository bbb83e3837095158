/* e_scan.c - sealroom-scan: connects to nothing, and opens nothing but fonts where a PDF is drawn. */
int scan_main(void);
#define main scan_main
#include "scan/scan.c"
#undef main

#include "tests/escape/escape.h"

static int
as_zygote(struct err *e)
{
	return confine_apply(&scan_zygote, e);
}

static int
as_child(struct err *e)
{
	return as_zygote(e) < 0 ? -1 : confine_apply(&scan_child, e);
}

static int
as_drawer(struct err *e)
{
	return as_zygote(e) < 0 ? -1 : confine_apply(&scan_draw, e);
}

/* --- what fonts cost: reading them, and not a file beside ---------------------------------- */

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

static long
a_font(void)
{
	return syscall(SYS_openat, AT_FDCWD, FONT, O_RDONLY);
}
static long
a_font_write(void)
{
	return syscall(SYS_openat, AT_FDCWD, FONT, O_WRONLY);
}
static long
a_font_beside(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/usr/share/fonts/../common-licenses/GPL-2", O_RDONLY);
}
static long
a_font_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/usr/local/share/fonts/sealroom-escape", O_WRONLY | O_CREAT, 0600);
}
static long
a_font_settings(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/fonts/fonts.conf", O_RDONLY);
}
static long
a_models(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/usr/share/tesseract-ocr/5/tessdata/eng.traineddata", O_RDONLY);
}

static void
test_fonts(const char *who, escape_apply *apply, bool may_read)
{
	const struct attempt read = { "a font", a_font, 0 };
	static const struct attempt others[] = { { "write a font", a_font_write, 0 }, { "read beside the fonts", a_font_beside, 0 },
		{ "put a font there", a_font_create, 0 }, { "read the settings of fonts", a_font_settings, 0 },
		{ "read the models again", a_models, 0 } };

	CHECK((escape_try(&read, apply) == SUCCEEDED) == may_read, "%s can%s read a font", who, may_read ? "" : " not");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		enum outcome o = escape_try(&others[i], apply);

		CHECK(o == KILLED || o == REFUSED, "%s can not %s", who, others[i].what);
	}
}

int
main(void)
{
	unsigned calls;

	escape_begin();
	escape_works("the reader's zygote", as_zygote);
	escape_role("the reader's zygote", as_zygote, MAY_FORK | MAY_STAT);
	escape_works("the reader's child", as_child);
	escape_works("who draws a PDF", as_drawer);
	escape_role("who draws a PDF", as_drawer, MAY_STAT);
	test_fonts("the reader's zygote", as_zygote, true);
	test_fonts("who draws a PDF", as_drawer, true);
	test_fonts("the reader's child", as_child, false);
	escape_tasks(&scan_role, MAY_STAT);
	calls = escape_allowed(as_child);
	CHECK(calls >= 10 && calls <= 30, "the filter of the reader's child lets %u system calls through, at most 30", calls);
	calls = escape_allowed(as_drawer);
	CHECK(calls >= 10 && calls <= 33, "who draws a PDF has %u, at most three more", calls);
	return escape_end();
}
