/* t_tokens.c - for which token a stamp is drawn: the tokens are played. */
#include <string.h>

#include "agent/tokens.h"
#include "tests/unit/test.h"

struct peer {
	bool away, busy;
	const char *name;
	struct ready_seal facts;
};

static struct conf_token confs[3];
static struct peer peers[3] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };
static const struct conf_token *listed[3] = { &confs[0], &confs[1], &confs[2] };
static const struct conf_seal seal = { .tokens = listed, .ntokens = 3 };
static struct token_line *lines;

struct peer *
children_token(const struct children *c, const struct conf_token *token)
{
	struct peer *p = &peers[token - confs];

	(void)c;
	return p->away ? NULL : p;
}

const char *
children_token_name(const struct peer *p)
{
	return p->name;
}

bool
children_token_busy(const struct peer *p)
{
	return p->busy;
}

const struct ready_seal *
children_token_facts(const struct peer *p)
{
	return &p->facts;
}

/* The order in which stamps are drawn, as long as one may be. */
static const char *
order(uint32_t most)
{
	static char names[16];
	struct err e;
	struct peer *p;
	size_t n = 0;

	while (n < sizeof(names) - 1 && (p = tokens_choose(NULL, &seal, lines, most)) != NULL) {
		tokens_line(&lines, p->name, &e)->drawn++;
		names[n++] = p->name[0];
	}
	names[n] = '\0';
	tokens_free(&lines);
	return names;
}

static void
test_choose(void)
{
	CHECK(strcmp(order(2), "abcabc") == 0, "each has its turn, in the order of the settings, and so many at most");
	peers[0].busy = true;
	CHECK(strcmp(order(2), "bcabca") == 0, "one that is being asked comes later");
	peers[1].away = true;
	CHECK(strcmp(order(3), "cacaca") == 0, "one that is away does not come");
	peers[0].away = peers[2].away = true;
	CHECK(strcmp(order(3), "") == 0, "none is there");
	memset(peers, 0, sizeof(peers));
	peers[0].name = "a";
	peers[1].name = "b";
	peers[2].name = "c";
}

static void
test_find(void)
{
	uint8_t hash[HASH_LEN] = { 7 };

	CHECK(tokens_find(NULL, &seal, "b", hash) == NULL, "not with this certificate");
	memcpy(peers[0].facts.cert_hash, hash, HASH_LEN);
	CHECK(tokens_find(NULL, &seal, "b", hash) == NULL, "nor another token with it");
	memcpy(peers[1].facts.cert_hash, hash, HASH_LEN);
	CHECK(tokens_find(NULL, &seal, "b", hash) == &peers[1], "the very one");
	peers[1].away = true;
	CHECK(tokens_find(NULL, &seal, "b", hash) == NULL, "as long as it is ready");
}

static void
test_line(void)
{
	struct err e;
	struct token_line *a = tokens_line(&lines, "a", &e), *b = tokens_line(&lines, "b", &e);

	CHECK(a != NULL && b != NULL && a != b && tokens_line(&lines, "a", &e) == a, "a line for each, and it stays");
	tokens_free(&lines);
	CHECK(lines == NULL, "until all are gone");
}

int
main(void)
{
	test_choose();
	test_find();
	test_line();
	return TEST_DONE();
}
