/*
 * Settings: what is right loads and reads back as it was shown; what is wrong
 * is told with file, line and remedy; files that others may change are refused.
 */
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "rules/keys.h"
#include "rules/rules.h"
#include "rules/value.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/t_conf.XXXXXX";

/* The smallest settings that work; each %s takes more keys at its place. */
#define BASE \
	"folders : { in : { path = \"hot\";\n rules = [ \"r\" ];\n seals = [ \"s\" ];\n %s }; };\n" \
	"rules : { r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\"; %s }; };\n" \
	"seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; %s }; };\n" \
	"tokens : { t : { module = \"/usr/lib/x.so\"; pin = \"credential:pin\"; %s }; };\n" \
	"trust = \"roots.pem\"; archive : { path = \"archive\"; };\n" \
	"evidence : { origin = \"seal.example.org/post\"; }; state = \"state\"; control = \"c.sock\"; %s\n"

static void
put(const char *name, const char *text, mode_t mode)
{
	AUTO_FD fd = -1;
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0)
		abort();
}

static int
load(struct conf **c, struct err *e)
{
	char path[200];

	*e = (struct err){ 0 };
	*c = NULL;
	snprintf(path, sizeof(path), "%s/sealroom.conf", top);
	return conf_load(c, path, e);
}

/* base with more keys in folder, rule, seal, token and at the top */
static int
load_with(const char *folder, const char *rule, const char *seal, const char *token, const char *root, struct conf **c,
    struct err *e)
{
	char text[8000];

	snprintf(text, sizeof(text), BASE, folder, rule, seal, token, root);
	put("sealroom.conf", text, 0600);
	return load(c, e);
}

static bool
problem_says(const char *text, unsigned *line, bool *warning)
{
	const struct conf_problem *p;
	size_t n = conf_problems(&p);

	for (size_t i = 0; i < n; i++)
		if (strstr(p[i].text, text) != NULL) {
			*line = p[i].line;
			*warning = p[i].warning;
			return true;
		}
	for (size_t i = 0; i < n; i++)
		printf("# %s:%u: %s\n", p[i].file, p[i].line, p[i].text);
	return false;
}

static void
test_smallest(void)
{
	struct conf *c;
	struct err e;
	const struct conf_problem *p;
	char want[200];

	CHECK(load_with("", "", "", "", "", &c, &e) == 0, "the smallest settings load %s", e.text);
	CHECK(conf_problems(&p) == 0, "without a word");
	snprintf(want, sizeof(want), "%s/hot", top);
	CHECK(strcmp(c->folders[0].path, want) == 0, "paths start at the file's directory");
	snprintf(want, sizeof(want), "%s/state/evidence.key", top);
	CHECK(strcmp(c->evidence.key, want) == 0, "the log's key is in the state directory");
	CHECK(strcmp(c->language, "en") == 0 && strcmp(c->folders[0].language, "en") == 0 &&
	    strcmp(c->folders[0].word_done, "done") == 0, "English by default");
	CHECK(c->folders[0].settle_ms == 0 && c->folders[0].poll == POLL_AUTO && !c->folders[0].claim_rename && c->folders[0].give_mode == 0660 && c->scan.max_pages == 5000 &&
	    c->scan.max_pixels == 150000000 && c->scan.max_bytes == 2147483648 && c->scan.languages.n == 2, "defaults are there");
	CHECK(c->rules[0].place.width == 170079 && c->rules[0].place.margin_x == 28346, "60 mm is 170.079 pt");
	CHECK(c->folders[0].nrules == 1 && c->folders[0].rules[0] == &c->rules[0] && c->rules[0].seal == &c->seals[0] &&
	    c->seals[0].tokens[0] == &c->tokens[0] && c->folders[0].seals[0] == &c->seals[0], "names are resolved");
	CHECK(conf_folder(c, "in") == &c->folders[0] && conf_folder(c, "out") == NULL, "folders are found by name");
	conf_free(c);
	CHECK(load_with("language = \"de\";", "", "", "", "", &c, &e) == 0 && strcmp(c->folders[0].word_work, "in-arbeit") == 0 &&
	    strcmp(c->folders[0].word_error, "fehler") == 0, "German words for a German folder");
	conf_free(c);
}

/* Everything at once, with quotes and backslashes, through text and back. */
static void
test_round_trip(void)
{
	struct conf *c, *d = NULL;
	struct err e;
	char *text, *again, *show;

	CHECK(load_with("settle = \"1min 30s\"; give = { mode = \"0640\"; }; log_names = \"plain\"; poll = \"always 250ms\"; claim = \"rename\"; separator = { patch = [ \"T\", \"2\" ]; barcode = \"^SEP$\"; stack = \"hold\"; };",
	    "find = { n = { after = [ \"Nr. \\\"x\\\"\", \"No\" ]; take = \"[A-Z\\\\.]+\\\\w\"; required = false; }; m = { barcode = \"^RE:(.*)\"; }; };"
	    " name = \"{received:%Y}_{name}.pdf\";",
	    "reason = \"geprüft\"; look = { lines = []; border = false; align = \"right\"; image = \"a b.png\"; qr = \"{id}\"; color = \"#102030\"; };", "serial = \"0a\"; cert = \"c.pem\"; unsafe_legacy = true;",
	    "language = \"de\"; host = \"scan-a\"; max_jobs = 7; space_floor = \"1GiB\"; scan : { workers = 3; max_pixels = 3000000L; };", &c, &e) == 0,
	    "many keys load %s", e.text);
	text = conf_text(c);
	CHECK(conf_parse(&d, text, &e) == 0, "their text parses %s", e.text);
	again = d == NULL ? NULL : conf_text(d);
	CHECK(again != NULL && strcmp(text, again) == 0, "and is the same text again");
	CHECK(d != NULL && memcmp(c->hash, d->hash, HASH_LEN) == 0 && memcmp(c->rules[0].hash, d->rules[0].hash, HASH_LEN) == 0,
	    "with the same hashes");
	CHECK(d != NULL && d->seals[0].look.lines.n == 0 && d->seals[0].look.align == ALIGN_RIGHT && d->seals[0].look.color[1] == 0x20 && d->folders[0].settle_ms == 90000 && d->folders[0].log_names_plain &&
	    d->folders[0].poll == POLL_ALWAYS && d->folders[0].poll_ms == 250 && d->folders[0].claim_rename &&
	    strcmp(d->folders[0].word_work, "in-arbeit/scan-a") == 0 &&
	    strcmp(d->rules[0].finds[0].take.text, "[A-Z\\.]+\\w") == 0 && d->tokens[0].unsafe_legacy && strcmp(d->rules[0].finds[1].barcode.text, "^RE:(.*)") == 0 && d->folders[0].separator_patch.n == 2 &&
	    d->folders[0].stack == STACK_HOLD &&
	    strcmp(d->folders[0].separator.text, "^SEP$") == 0, "and the same meaning");
	free(again);
	conf_free(d);
	d = NULL;
	show = conf_show(c);
	CHECK(conf_parse(&d, show, &e) == 0 && memcmp(c->hash, d->hash, HASH_LEN) == 0, "what is shown to people parses as well");
	conf_free(d);
	conf_free(c);
	free(show);
	free(text);
	CHECK(load_with("", "", "", "", "max_jobs = 8;", &c, &e) == 0, "another value");
	CHECK(load_with("", "", "", "", "max_jobs = 9;", &d, &e) == 0 && memcmp(c->hash, d->hash, HASH_LEN) != 0 &&
	    memcmp(c->rules[0].hash, d->rules[0].hash, HASH_LEN) == 0, "changes the hash of all, not of the rule");
	conf_free(c);
	conf_free(d);
}

static void
test_faults(void)
{
	static const struct {
		const char *name, *folder, *rule, *seal, *token, *root, *says;
		unsigned line;
		bool warning;
	} cases[] = {
		{ "a misspelt key", "setle = \"1s\";", "", "", "", "", "folders.in.setle: there is no such key; did you mean \"settle\"?", 4, false },
		{ "a key of later", "", "", "", "", "batch = 3;", "batch: there is no such key", 9, false },
		{ "a time without unit", "settle = \"10\";", "", "", "", "", "a time with its unit", 4, false },
		{ "a time as number", "settle = 10;", "", "", "", "", "wants a time as text, as \"10s\"", 4, false },
		{ "a time too long", "settle = \"2h\";", "", "", "", "", "must be from 20ms to 1h", 4, false },
		{ "a way to poll that is none", "poll = \"sometimes\";", "", "", "", "", "as \"always 5s\"", 4, false },
		{ "no way to poll and no time", "poll = \"\";", "", "", "", "", "as \"always 5s\"", 4, false },
		{ "polling without end", "poll = \"never 10ms\";", "", "", "", "", "from 100ms to 1h", 4, false },
		{ "a shared folder without a host's name", "claim = \"rename\";", "", "", "", "", "needs a name for this host", 4, false },
		{ "a host's name that leads elsewhere", "claim = \"rename\";", "", "", "", "host = \"../a\";", "letters, digits", 9, false },
		{ "a mode without owner", "give = { mode = \"0060\"; };", "", "", "", "", "the owner must be able to read", 4, false },
		{ "a mode as number", "give = { mode = 0660; };", "", "", "", "", "wants a mode as text", 4, false },
		{ "a word that is none", "log_names = \"salted\";", "", "", "", "", "write \"hashed\" or \"plain\"", 4, false },
		{ "another misspelt group", "", "", "", "", "seals2 : {};", "did you mean \"seals\"", 9, false },
		{ "a size in MB", "", "", "", "", "space_floor = \"100MB\";", "as \"256MiB\"", 9, false },
		{ "a number that would wrap", "", "", "", "", "scan : { max_pixels = 99999999999; };", "must end in L", 9, false },
		{ "an include", "", "", "", "", "\n@include \"x.conf\"\n", "@include is not allowed", 10, false },
		{ "a syntax error", "", "", "", "", "max_jobs == 3;", "syntax error", 9, false },
		{ "the same key twice", "", "", "", "", "max_jobs = 3; max_jobs = 4;", "duplicate", 9, false },
		{ "\\d", "", "find = { n = { after = [ \"Nr\" ]; take = \"\\d+\"; }; };", "", "", "", "write [0-9]", 5, false },
		{ "a find without take", "", "find = { n = { after = [ \"Nr\" ]; }; };", "", "", "", "rules.r.find.n.take: must be given", 5, false },
		{ "a find of nothing", "", "find = { n = { take = \"a\"; }; };", "", "", "", "find.n: after or barcode must be given", 5, false },
		{ "a find of words and codes", "", "find = { n = { after = [ \"Nr\" ]; take = \"a\"; barcode = \"a\"; }; };", "", "", "", "exclude each other", 5, false },
		{ "an expression for codes with \\d", "", "find = { n = { barcode = \"\\d+\"; }; };", "", "", "", "write [0-9]", 5, false },
		{ "a patch code that is none", "separator = { patch = [ \"5\" ]; };", "", "", "", "", "there is no patch code \"5\"", 4, false },
		{ "a phrase of signs only", "", "find = { n = { after = [ \"...\" ]; take = \"a\"; }; };", "", "", "", "no letter and no digit", 5, false },
		{ "a rule that seals and holds", "", "hold = { en = \"x\"; };", "", "", "", "exclude each other", 5, false },
		{ "an unknown variable in a name", "", "name = \"{recieved}.pdf\";", "", "", "", "did you mean {received}?", 5, false },
		{ "an unknown find in a name", "", "name = \"{find.x}.pdf\";", "", "", "", "rule r has no find \"x\"", 5, false },
		{ "a name with a slash", "", "name = \"a/{name}.pdf\";", "", "", "", "no \"/\"", 5, false },
		{ "a name without suffix", "", "name = \"{name}\";", "", "", "", "must end in .pdf", 5, false },
		{ "a month's name in a time", "", "name = \"{received:%B}.pdf\";", "", "", "", "or the signs", 5, false },
		{ "an unknown variable on the stamp", "", "", "look = { lines = [ \"{orga}\" ]; };", "", "", "did you mean {org}?", 6, false },
		{ "a find that the rule lacks on the stamp", "", "", "look = { lines = [ \"{find.n}\" ]; };", "", "", "rule r has no find \"n\"", 6, false },
		{ "a tsa for B-B", "", "", "tsa = \"q\";", "", "tsa : { q : { url = [ \"http://localhost/\" ]; trust = \"t.pem\"; }; };", "not asked at level B-B", 6, true },
		{ "a tsa that is not there", "", "", "tsa = \"q\";", "", "", "seals.s.tsa: there is no \"q\" in tsa", 6, false },
		{ "an address that is none", "", "", "tsa = \"q\";", "", "tsa : { q : { url = [ \"ftp://x\" ]; trust = \"t.pem\"; }; };", "write http://host/path", 9, false },
		{ "a misspelt group", "", "", "", "", "tokens2 = 1;", "did you mean \"tokens\"", 9, false },
		{ "an odd key id", "", "", "", "key_id = \"0g\";", "", "pairs of hexadecimal digits", 7, false },
		{ "a module's hash cut short", "", "", "", "module_sha256 = \"0a\";", "", "write 64 hexadecimal digits", 7, false },
		{ "a language that is not there", "", "", "", "", "language = \"english\";", "write \"de\" or \"en\"", 9, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *c;
		struct err e;
		unsigned line = 0;
		bool warning = false;
		int r = load_with(cases[i].folder, cases[i].rule, cases[i].seal, cases[i].token, cases[i].root, &c, &e);

		CHECK((r == 0) == cases[i].warning && problem_says(cases[i].says, &line, &warning) && warning == cases[i].warning &&
		    line == cases[i].line, "%s: %s (line %u)", cases[i].name, cases[i].says, line);
		conf_free(c);
	}
}

/* Whole files for faults between groups. */
static void
test_contradictions(void)
{
	static const struct { const char *name, *text, *says; } cases[] = {
		{ "nothing at all", "", "archive.path: must be given" },
		{ "no folder", "trust=\"t\"; archive:{path=\"a\";}; evidence:{origin=\"o\";};", "folders: there is none" },
		{ "no rule of this name", "folders:{a:{path=\"a\";rules=[\"invoce\"];};}; rules:{invoice:{when=\"always\";hold={en=\"x\";};};};", "did you mean \"invoice\"" },
		{ "a rule without when", "rules:{x:{hold={en=\"x\";};};};", NULL },
		{ "two folders, one path", "folders:{a:{path=\"h\";rules=[\"x\"];}; b:{path=\"./h/\";rules=[\"x\"];};};", "also the path of folder \"a\"" },
		{ "a folder in a folder", "folders:{a:{path=\"h\";rules=[\"x\"];}; b:{path=\"h/b\";rules=[\"x\"];};};", "lies inside the other" },
		{ "names that only begin alike", "folders:{a:{path=\"h\";rules=[\"x\"];}; b:{path=\"h2\";rules=[\"x\"];};};", NULL },
		{ "the archive in a folder", "folders:{a:{path=\"h\";rules=[\"x\"];};}; archive:{path=\"h/archive\";};", "and archive.path" },
		{ "a folder in the state directory", "folders:{a:{path=\"state/h\";rules=[\"x\"];};}; state=\"state\";", "and state" },
		{ "the state in the archive", "archive:{path=\"arc\";}; state=\"arc/state\";", "must not lie inside archive.path" },
		{ "a rule behind always", "folders:{a:{path=\"h\";rules=[\"x\",\"y\"];};}; rules:{x:{when=\"always\";hold={en=\"x\";};}; y:{when={any=[\"a\"];};hold={en=\"x\";};};};", "never reached" },
		{ "a rule twice", "folders:{a:{path=\"h\";rules=[\"x\",\"x\"];};};", "stands twice" },
		{ "an origin with a blank", "evidence:{origin=\"a b\";};", "evidence.origin" },
		{ "a PIN in the file", "tokens:{t:{module=\"/m\";pin=\"1234\";};};", "never stands in the settings" },
		{ "a long name", "rules:{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:{when=\"always\";hold={en=\"x\";};};};", "at most 63" },
		{ "B-T without tsa", "tokens:{t:{module=\"/m\";pin=\"credential:p\";};}; seals:{s:{tokens=[\"t\"];};};", "level B-T needs one" },
		{ "near and at", "rules:{x:{when=\"always\";place={near=\"a\";at=\"top-left\";size=[\"9mm\",\"9mm\"];};seal=\"s\";};};", "near, barcode, field and at exclude" },
		{ "near and barcode", "rules:{x:{when=\"always\";place={near=\"a\";barcode=\"b\";size=[\"9mm\",\"9mm\"];};seal=\"s\";};};", "near, barcode, field and at exclude" },
		{ "near and field", "rules:{x:{when=\"always\";place={near=\"a\";field=\"b\";size=[\"9mm\",\"9mm\"];};seal=\"s\";};};", "near, barcode, field and at exclude" },
		{ "a field with another place, without a size", "rules:{x:{when=\"always\";place={field=\"b\";otherwise=\"corner\";};seal=\"s\";};};", "place.size: must be given" },
		{ "marks on no pages", "rules:{x:{when=\"always\";place={near=\"a\";size=[\"9mm\",\"9mm\"];marks=\"0\";};seal=\"s\";};};", "\"2-3\" or \"all\"" },
		{ "a kind of code that is none", "rules:{x:{when={barcode_kind=[\"aztec\"];};place=\"invisible\";seal=\"s\";};};", "barcode_kind: there is no \"aztec\"" },
		{ "neither near nor at", "rules:{x:{when=\"always\";place={size=[\"9mm\",\"9mm\"];};seal=\"s\";};};", "near, barcode, field or at must be given" },
		{ "no size", "rules:{x:{when=\"always\";place={near=\"a\";};seal=\"s\";};};", "place.size: must be given" },
		{ "a size like a dot", "rules:{x:{when=\"always\";place={near=\"a\";size=[\"4mm\",\"9mm\"];};seal=\"s\";};};", "at least 5mm" },
		{ "a size like a poster", "rules:{x:{when=\"always\";place={near=\"a\";size=[\"290mm\",\"290mm\"];};seal=\"s\";};};", "fits on A4" },
		{ "a seal that the folder does not allow", "folders:{a:{path=\"h\";rules=[\"x\"];};}; rules:{x:{when=\"always\";place=\"invisible\";seal=\"s\";};};", "uses seal \"s\"" },
	};
	/* what each of them leaves out */
	static const char *const rest[][2] = {
		{ "folders", "folders:{f:{path=\"f\";rules=[\"x\"];seals=[\"s\"];};};\n" },
		{ "rules", "rules:{x:{when=\"always\";hold={en=\"x\";};};};\n" },
		{ "seals", "seals:{s:{tokens=[\"t\"];level=\"B-B\";};};\n" },
		{ "tokens", "tokens:{t:{module=\"/m\";pin=\"file:pin\";};};\n" },
		{ "trust", "trust=\"t.pem\";\n" }, { "archive", "archive:{path=\"archive\";};\n" },
		{ "evidence", "evidence:{origin=\"o.example\";};\n" },
		{ "state", "state=\"/nowhere/state\";\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[4000];
		size_t n = (size_t)snprintf(text, sizeof(text), "%s\n", cases[i].text);
		struct conf *c;
		struct err e;
		unsigned line;
		bool warning = false;
		int r;

		for (size_t j = 0; i > 1 && j < sizeof(rest) / sizeof(rest[0]); j++) {
			char key[20];

			snprintf(key, sizeof(key), "%s%s", rest[j][0], rest[j][1][strlen(rest[j][0])] == '=' ? "=" : ":{");
			if (strstr(cases[i].text, key) == NULL)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", rest[j][1]);
		}
		put("sealroom.conf", text, 0600);
		r = load(&c, &e);
		if (cases[i].says == NULL)
			CHECK((r == 0) == (strstr(cases[i].name, "without when") == NULL), "%s: %s", cases[i].name, e.text);
		else
			CHECK(problem_says(cases[i].says, &line, &warning) && (r == 0) == warning, "%s: %s", cases[i].name, cases[i].says);
		conf_free(c);
	}
}

static void
test_all_collected(void)
{
	struct conf *c;
	struct err e;
	const struct conf_problem *p;
	size_t n;

	CHECK(load_with("setle = \"1s\";", "nmae = \"x\";", "", "", "max_jobs = 0;", &c, &e) == -ERR_CONF, "three mistakes");
	n = conf_problems(&p);
	CHECK(n == 3 && p[0].line == 4 && p[1].line == 5 && p[2].line == 9, "are all told, in the file's order (%zu)", n);
	CHECK(strstr(e.text, "sealroom.conf:4: folders.in.setle") != NULL, "the first is the error: %s", e.text);
}

static void
test_folders_d(void)
{
	struct conf *c;
	struct err e;
	unsigned line;
	bool warning;
	char path[200], want[200];

	snprintf(path, sizeof(path), "%s/folders.d", top);
	if (mkdir(path, 0700) < 0)
		abort();
	put("folders.d/20-b.conf", "folders : { b : { path = \"b\"; rules = [ \"own\" ]; }; };\n"
	    "rules : { own : { when = \"always\"; hold = { en = \"x\"; }; }; };\n", 0644);
	put("folders.d/10-a.conf", "folders : { a : { path = \"/a\"; rules = [ \"r\" ]; seals = [ \"s\" ]; }; };\n", 0644);
	put("folders.d/ignored.txt", "what = 3;", 0644);
	CHECK(load_with("", "", "", "", "", &c, &e) == 0 && c->nfolders == 3 && strcmp(c->folders[1].name, "a") == 0 &&
	    strcmp(c->folders[2].name, "b") == 0 && conf_rule(c, "own") != NULL, "folders and rules of folders.d come in order %s", e.text);
	snprintf(want, sizeof(want), "%s/folders.d/b", top);
	CHECK(c != NULL && strcmp(c->folders[2].path, want) == 0, "their paths start at their own directory");
	conf_free(c);
	put("folders.d/30-c.conf", "language = \"de\";\n", 0644);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("only folders and rules", &line, &warning) && line == 1, "nothing else may stand there");
	put("folders.d/30-c.conf", "folders : { in : { path = \"/c\"; rules = [ \"r\" ]; }; };\n", 0644);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("is there already", &line, &warning), "a folder twice is told with both places");
	put("folders.d/30-c.conf", "\n", 0664);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("chmod go-w", &line, &warning), "a file others may write is refused");
	put("folders.d/30-c.conf", "\n", 0644);
	chmod(path, 0770);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("chmod go-w", &line, &warning), "so is folders.d itself");
	chmod(path, 0700);
	io_remove_tree(AT_FDCWD, path, &e);
}

static void
test_who_may_write(void)
{
	struct conf *c;
	struct err e;
	unsigned line;
	bool warning;
	char path[200], other[200];

	snprintf(path, sizeof(path), "%s/sealroom.conf", top);
	snprintf(other, sizeof(other), "%s/other.conf", top);
	load_with("", "", "", "", "", &c, &e);
	conf_free(c);
	chmod(path, 0620);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("chmod go-w", &line, &warning), "a file the group may write is refused");
	chmod(path, 0602);
	CHECK(load(&c, &e) == -ERR_CONF, "so is one anybody may write");
	chmod(path, 0644);
	chmod(top, 0775);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("chmod go-w", &line, &warning), "so is its directory");
	chmod(top, 0700);
	CHECK(load(&c, &e) == 0, "one that only we may write loads");
	conf_free(c);
	rename(path, other);
	if (symlink(other, path) < 0)
		abort();
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("symlinks are not followed", &line, &warning), "a symlink is refused");
	unlink(path);
	if (mkfifo(path, 0600) < 0)
		abort();
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("not a plain file", &line, &warning), "a FIFO is refused, without waiting");
	unlink(path);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("No such file", &line, &warning), "a missing file is told");
	put("sealroom.conf", "a\xFF", 0600);
	CHECK(load(&c, &e) == -ERR_CONF && problem_says("UTF-8", &line, &warning), "what is not UTF-8 is refused");
}

static void
test_values(void)
{
	static const struct { const char *text; int32_t mpt; } lengths[] = {
		{ "0", 0 }, { "25.4mm", 72000 }, { "1in", 72000 }, { "2.54cm", 72000 }, { "72pt", 72000 }, { "-4mm", -11339 }, { "+4 mm", 11339 },
	};
	static const char *const no_lengths[] = { "7777777777777777777mm", "", "4", "mm", "4,5mm", "4m", "4mmm", "--4mm", "1e3mm", "99999mm", "4.mm" };
	static const struct { const char *text; uint64_t ms; } times[] = {
		{ "10s", 10000 }, { "5min", 300000 }, { "24h", 86400000 }, { "30d", 2592000000 }, { "1h 30min", 5400000 },
		{ "1h30min", 5400000 }, { "250ms", 250 }, { "0.5s", 500 }, { "2 weeks", 1209600000 },
	};
	static const char *const no_times[] = { "", "10", "s", "-1s", "1y", "10s 5", "1 month" };
	char text[VALUE_MAX];
	int32_t mpt, bad = 0;
	uint64_t n;
	mode_t mode;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		CHECK(value_length(lengths[i].text, &mpt) == 0 && mpt == lengths[i].mpt, "\"%s\" is %d mpt", lengths[i].text, lengths[i].mpt);
	for (size_t i = 0; i < sizeof(no_lengths) / sizeof(no_lengths[0]); i++)
		CHECK(value_length(no_lengths[i], &mpt) < 0, "\"%s\" is no length", no_lengths[i]);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		CHECK(value_time(times[i].text, &n) == 0 && n == times[i].ms, "\"%s\" is %ju ms", times[i].text, (uintmax_t)times[i].ms);
	for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++)
		CHECK(value_time(no_times[i], &n) < 0, "\"%s\" is no time", no_times[i]);
	for (int32_t v = -30000; v <= 1700000; v += 13) {
		value_length_text(v, text);
		bad += value_length(text, &mpt) < 0 || mpt != v;
	}
	CHECK(bad == 0, "every length is written so that it reads back");
	CHECK(value_size("1.5GiB", &n) == 0 && n == 1610612736 && value_size("3TiB", &n) == 0 && n == 3298534883328 &&
	    value_size("100MB", &n) < 0 && value_size("99999999TiB", &n) < 0, "sizes");
	CHECK(value_mode("0660", &mode) == 0 && mode == 0660 && value_mode("640", &mode) == 0 && mode == 0640 &&
	    value_mode("0880", &mode) < 0 && value_mode("1777", &mode) < 0 && value_mode("66", &mode) < 0, "modes");
}

/* --- the manual page ----------------------------------------------------------------------- */

static char *manual;

/* A default as it would stand in a file. */
static void
default_text(const struct conf_key *k, char *dst, size_t size)
{
	bool bare = k->type == KEY_BOOL || k->type == KEY_NUMBER || k->type == KEY_NUMBER64;
	bool list = k->type == KEY_TEXTS || k->type == KEY_PAIR;
	size_t n = (size_t)snprintf(dst, size, "%s%s", list ? "[ " : "", bare ? "" : "\"");

	for (const char *p = k->fallback; *p != '\0'; p++)
		n += (size_t)snprintf(dst + n, size - n, "%s%.1s", list && *p == '|' ? "\", \"" : "", list && *p == '|' ? "" : p);
	snprintf(dst + n, size - n, "%s%s", bare ? "" : "\"", list ? " ]" : "");
}

static void
manual_has(void *ctx, const char *path, const struct conf_key *k)
{
	size_t *missing = ctx;
	char item[300], fallback[300], text[200];
	const char *at, *end;

	snprintf(item, sizeof(item), "\n.It Ic %s\n", path);
	if ((at = strstr(manual, item)) == NULL) {
		printf("# sealroom.conf(5) lacks %s\n", path);
		++*missing;
		return;
	}
	end = strstr(at + 1, "\n.It ");
	if (k->fallback != NULL && (*k->fallback == '\0' || k->type == KEY_GROUP || k->type == KEY_NAMED))
		return;
	snprintf(fallback, sizeof(fallback), "\nMust be given.\n");
	if (k->fallback != NULL) {
		default_text(k, text, sizeof(text));
		snprintf(fallback, sizeof(fallback), "\nDefault: %s\n", text);
	}
	at = strstr(at, fallback);
	if (at == NULL || (end != NULL && at > end)) {
		printf("# sealroom.conf(5): %s lacks:%s", path, fallback);
		++*missing;
	}
}

struct seen {
	const char *name;
	bool there;
};

static void
key_is(void *ctx, const char *path, const struct conf_key *k)
{
	struct seen *s = ctx;

	(void)k;
	s->there |= strcmp(s->name, path) == 0;
}

static void
test_manual(void)
{
	struct buf b;
	struct err e = { 0 };
	size_t missing = 0, extra = 0;
	char *line;

	buf_init(&b, 1 << 20);
	if (!CHECK(io_read_file(AT_FDCWD, "rules/sealroom.conf.5", &b, &e) == 0, "the manual page is there %s", e.text))
		return;
	buf_put_u8(&b, 0);
	manual = (char *)b.data;
	keys_walk(manual_has, &missing);
	CHECK(missing == 0, "it has every key with its default");
	for (char *p = manual; (line = strstr(p, "\n.It Ic ")) != NULL; p = line + 1) {
		char name[200];
		struct seen s = { .name = name };

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 8, "\n"), line + 8);
		keys_walk(key_is, &s);
		if (!s.there) {
			printf("# there is no key %s\n", name);
			extra++;
		}
	}
	CHECK(extra == 0, "and no key that does not exist");
	buf_done(&b);
}

static void
test_sample(void)
{
	struct buf b;
	struct err e = { 0 };
	struct conf *c = NULL;
	const struct conf_problem *p;

	buf_init(&b, 1 << 20);
	if (!CHECK(io_read_file(AT_FDCWD, "systemd/sealroom.conf", &b, &e) == 0, "the sample is there %s", e.text))
		return;
	buf_put_u8(&b, 0);
	put("sealroom.conf", (char *)b.data, 0600);
	CHECK(load(&c, &e) == 0 && conf_problems(&p) == 0, "the sample settings load without a word %s", e.text);
	conf_free(c);
	buf_done(&b);
}

int
main(void)
{
	struct err e = { 0 };

	setlocale(LC_ALL, "C.UTF-8");
	umask(022);
	if (mkdtemp(top) == NULL)
		abort();
	test_smallest();
	test_round_trip();
	test_faults();
	test_contradictions();
	test_all_collected();
	test_folders_d();
	test_who_may_write();
	test_values();
	test_manual();
	test_sample();
	io_remove_tree(AT_FDCWD, top, &e);
	return TEST_DONE();
}
