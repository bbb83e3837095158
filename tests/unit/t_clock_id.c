/* t_clock_id.c - times as ISO 8601 before and after 1970, and ids that sort by time. */
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/id.h"
#include "tests/unit/test.h"

/* From: date -u -d @SECONDS */
static const struct {
	int64_t us;
	const char *iso_us, *iso, *compact;
} times[] = {
	{ 0, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", "19700101000000Z" },
	{ 1795340070123456, "2026-11-22T09:34:30.123456Z", "2026-11-22T09:34:30Z", "20261122093430Z" },
	{ 951782399999999, "2000-02-28T23:59:59.999999Z", "2000-02-28T23:59:59Z", "20000228235959Z" },
	{ 951782400000000, "2000-02-29T00:00:00.000000Z", "2000-02-29T00:00:00Z", "20000229000000Z" },
	{ 4107542400000000, "2100-03-01T00:00:00.000000Z", "2100-03-01T00:00:00Z", "21000301000000Z" },
	{ -1, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z", "19691231235959Z" },
	{ -14182940000000, "1969-07-20T20:17:40.000000Z", "1969-07-20T20:17:40Z", "19690720201740Z" },
	{ -2208988800000001, "1899-12-31T23:59:59.999999Z", "1899-12-31T23:59:59Z", "18991231235959Z" },
};

static const char *const not_times[] = { "", "2026", "2026-11-22", "2026-11-22T09:34:30", "2026-11-22T09:34:30z",
	"2026-11-22T09:34:30+00:00", "2026-11-22T09:34:30.1Z", "2026-11-22T09:34:30.1234567Z", "2026-11-22T09:34:30.Z",
	"2026-13-22T09:34:30Z", "2026-11-22T09:61:30Z", "2026-11-22T09:34:30Zx", "2026-11-22 09:34:30Z" };

static void
test_iso(void)
{
	char out[CLOCK_ISO_MAX];
	int64_t us;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		clock_iso_us(times[i].us, out);
		CHECK(strcmp(out, times[i].iso_us) == 0, "%s", times[i].iso_us);
		clock_iso(times[i].us, out);
		CHECK(strcmp(out, times[i].iso) == 0, "to the second");
		clock_compact(times[i].us, out);
		CHECK(strcmp(out, times[i].compact) == 0, "and compact");
		CHECK(clock_parse_iso(times[i].iso_us, &us) == 0 && us == times[i].us, "and back");
	}
	for (size_t i = 0; i < sizeof(not_times) / sizeof(not_times[0]); i++) {
		us = 42;
		CHECK(clock_parse_iso(not_times[i], &us) == -1 && us == 42, "'%s' is no time", not_times[i]);
	}
	clock_iso_us(INT64_MAX, out);
	CHECK(strlen(out) < CLOCK_ISO_MAX, "a time beyond all years still is a string");
	clock_iso_us(INT64_MIN, out);
	CHECK(strlen(out) < CLOCK_ISO_MAX, "one before all years, too");
}

static void
test_waiting(void)
{
	uint64_t a = clock_ms(), b;

	usleep(20000);
	b = clock_ms();
	CHECK(b - a >= 19 && b - a < 5000, "20 ms are about 20 ms");
}

static void
test_ids(void)
{
	char id[64][ID_MAX];
	int64_t from = clock_wall_us() / 1000 * 1000, to;
	bool good = true, ordered = true, timed = true, different = true;

	for (int i = 0; i < 64; i++) {
		good = good && id_new(id[i]) == 0 && id_valid(id[i]);
		if (i % 8 == 7)
			usleep(2000);
	}
	to = clock_wall_us();
	for (int i = 0; i < 64; i++) {
		timed = timed && id_time_us(id[i]) >= from && id_time_us(id[i]) <= to;
		for (int k = i + 1; k < 64; k++)
			different = different && strcmp(id[i], id[k]) != 0;
		if (i >= 8)
			ordered = ordered && strcmp(id[i - 8], id[i]) < 0;
	}
	CHECK(good, "ids are valid");
	CHECK(ordered, "ids of a later millisecond sort behind");
	CHECK(timed, "an id knows its time");
	CHECK(different, "no two are the same");
	CHECK(id_time_us("00000000000000000000000000") == 0, "the first id is of 1970");
	CHECK(id_time_us("0000000001zzzzzzzzzzzzzzzz") == 1000, "one millisecond is one in the tenth place");
	CHECK(id_valid("7zzzzzzzzzzzzzzzzzzzzzzzzz") && !id_valid("8zzzzzzzzzzzzzzzzzzzzzzzzz"), "128 bits, not more");
	CHECK(!id_valid("0123456789abcdefghjkmnpqr") && !id_valid("0123456789abcdefghjkmnpqrst"), "26 characters");
	CHECK(!id_valid("01m81mynnqvfzebzdnbm2m34yI") && !id_valid("01M81MYNNQVFZEBZDNBM2M34YG") &&
	        !id_valid("../../../../../../../../..") && !id_valid("01m81mynnqvfzebzdnbm2m34yu"),
	    "lower case, no i l o u, nothing else");
}

/* One that belongs to another: expected values by sha256sum of "ID/N", its first 80 bits, 5 a character. */
static void
test_derived(void)
{
	static const char from[] = "01m81mynnqvfzebzdnbm2m34yg";
	char one[ID_MAX], two[ID_MAX], again[ID_MAX];

	id_derive(from, 1, one);
	id_derive(from, 2, two);
	id_derive(from, 1, again);
	CHECK(id_valid(one) && id_valid(two) && strcmp(one, again) == 0 && strcmp(one, two) != 0 && strcmp(one, from) != 0,
	    "ids that belong to another are always the same");
	CHECK(id_time_us(one) == id_time_us(from), "and of its time");
	CHECK(strcmp(one + 10, "6psqvg6hzfzjraag") == 0 && strcmp(two + 10, "rhpdz8eptngwf844") == 0, "and come of its name: %s, %s", one, two);
}

int
main(void)
{
	test_derived();
	test_iso();
	test_waiting();
	test_ids();
	return TEST_DONE();
}
