/*
 * t_batch.c - evidence records of which some can not be read any more: what is not
 * touched by that is renewed, and new ones are made.
 */
#include "agent/batch.h"
#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"

/* What ends within the hour is due; each lasts longer than those before, for time passes. */
#define EVIDENCE(batch) "sed -i 's/^evidence : {/evidence : { tsa = \"test\"; batch = \"" batch "\"; renew_before = \"1h\";/' sealroom.conf"

static void
make_records(bool wanted)
{
	room_settings("");
	room_sh(wanted ? EVIDENCE("1s") : EVIDENCE("720h"));
}

static void
begin(void)
{
	make_records(true);
	room_empty();
	played.record_ms = 1800 * 1000;
}

static bool
heard(const char *text)
{
	if (strstr(socket_heard(), text) != NULL)
		return true;
	printf("# %s\n", socket_answer);
	return false;
}

/* A record of the start, and of three documents one each. */
static void
three(int second)
{
	char name[16];

	if (second % 10 == 1 && second < 30) {
		snprintf(name, sizeof(name), "%d.tif", second);
		room_drop(name, name);
	}
	if (second == 39)
		so = room_count("archive/evidence/er/*") == 4 && batch_count(&core) == 4;
}

static const char *answer;

static void
renews(int second)
{
	if (second == 5)
		socket_say(-1, "{\"op\":\"evidence-renew\"}");
	if (second == 8)
		so = heard(answer);
}

static void
renews_and_more(int second)
{
	if (second == 1)
		room_drop("Neu.tif", "a new one");
	if (second == 20)
		socket_say(-1, "{\"op\":\"evidence-renew\"}");
	if (second == 23)
		so = heard(answer);
}

static void
test_lost(const char *what, const char *command)
{
	begin();
	day(three, 40000);
	CHECK(so, "four records");
	make_records(false);
	room_sh("chmod -R u+w archive/evidence/er; cp -a archive/evidence/er whole; %s", command);
	answer = "\"renewed\":3,\"refused\":1,\"record\":5";
	day(renews, 10000);
	CHECK(so && room_entries(ENTRY_RENEWAL) == 1, "%s: the others are renewed, and it is counted", what);
	room_sh("rm -rf archive/evidence/er/2; mv whole/2 archive/evidence/er/2; rm -rf whole");
	answer = "\"renewed\":4,\"refused\":0,\"record\":6";
	day(renews, 10000);
	CHECK(so && room_entries(ENTRY_RENEWAL) == 2, "and renewed with them when it is back");
}

static void
test_renewal_lost(void)
{
	begin();
	day(three, 40000);
	make_records(false);
	answer = "\"renewed\":4,\"refused\":0,\"record\":5";
	day(renews, 10000);
	CHECK(so, "four records are renewed");
	make_records(true);
	room_sh("chmod -R u+w archive/evidence/er; cp -a archive/evidence/er whole; sed -i s/a/b/g archive/evidence/er/5/tree");
	answer = "\"refused\":4";
	day(renews_and_more, 30000);
	CHECK(so && room_count("archive/evidence/er/6/ts") == 1 && room_count("in/done/Neu.pdf") == 1 && room_entries(ENTRY_RENEWAL) == 2,
	    "a renewal that can not be read: new records are made and renewed, and none that it may cover");
	room_sh("rm -rf archive/evidence/er/5; mv whole/5 archive/evidence/er/5; rm -rf whole");
	answer = "\"refused\":0";
	day(renews, 10000);
	CHECK(so && room_entries(ENTRY_RENEWAL) == 3, "all of them when it is back");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_lost("a time stamp that is gone", "rm archive/evidence/er/2/ts");
	test_lost("a tree that is damaged", "sed -i s/a/b/g archive/evidence/er/2/tree");
	test_renewal_lost();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
