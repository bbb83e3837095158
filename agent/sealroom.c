#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/proc.h"

#include "agent/cmd.h"

static int cmd_help(struct cmd_args *);
static int cmd_version(struct cmd_args *);

/* clang-format off */
static const struct cmd cmds[] = {
	{ "check",    "[--show]",
	  "settings, folders, tokens and time stamping: is all as it must be?", cmd_check },
	{ "status",   "[--follow]",
	  "folders, jobs, tokens and log; --follow: until interrupted", cmd_status },
	{ "jobs",     "[ID | [--folder NAME] [--state NAME]]",
	  "what is worked at; or one job, and what the log says about it", cmd_jobs },
	{ "submit",   "FILE --folder NAME [--name NAME]",
	  "hand a document in without the folder; answers with the job's number", cmd_submit },
	{ "try",      "FILE --folder NAME [--png OUT [--page N] | --daemon]",
	  "what would happen to this file, and why; nothing is sealed", cmd_try },
	{ "place",    "FILE --folder NAME --out PAGE.html",
	  "writes the page on which a person shows the seal's place", cmd_place },
	{ "words",    "FILE [--format tsv | hocr | alto] [--pages LIST]",
	  "the words of a file, their boxes, and how sure each is", cmd_words },
	{ "rules",    "test DIR [--accept FOLDER]",
	  "do the samples of a directory still come out as they should?", cmd_rules },
	{ "events",   "[--follow]",
	  "what happened since the daemon began; --follow: and what happens", cmd_events },
	{ "release",  "JOB [--rule NAME] [--at PAGE,X,Y] | --again | --reject TEXT",
	  "decide about a held document", cmd_release },
	{ "retry",    "JOB | all",
	  "try a waiting job now", cmd_retry },
	{ "pause",    "[FOLDER] [--reason TEXT]",
	  "take nothing more from a folder, or from any", cmd_pause },
	{ "resume",   "[FOLDER]",
	  "take from it again", cmd_resume },
	{ "withdraw", "JOB [--reason TEXT]",
	  "take back what is not sealed yet", cmd_withdraw },
	{ "void",     "JOB --reason TEXT",
	  "declare void what is sealed", cmd_void },
	{ "verify",   "FILE",
	  "what the signatures of a PDF prove", cmd_verify },
	{ "audit",    "[DIR] [--vkey FILE] [--since CHECKPOINT] [--trust FILE]",
	  "is an archive what its log says? needs nothing but the tree", cmd_audit },
	{ "evidence", "list [ID] | head | prove ID [--out DIR] | export [ID] [--out FILE] | verify RECORD FILE... [--trust FILE] | renew |\n"
	              "    resume --after-restore --reason TEXT; list, head, prove, export: [--archive DIR]",
	  "the log and its proofs; evidence records (RFC 4998); resume: go on after a restore", cmd_evidence },
	{ "token",    "list | clear NAME | login NAME [--stdin]",
	  "tokens; clear: let one log in again after a refused PIN; login: give it its PIN", cmd_token },
	{ "help",     "[VERB]",
	  "this list", cmd_help },
	{ "version",  "",
	  "version and build", cmd_version },
};
/* clang-format on */
#define NCMDS (sizeof(cmds) / sizeof(cmds[0]))

static const struct cmd *
cmd_find(const char *name)
{
	for (size_t i = 0; i < NCMDS; i++)
		if (strcmp(cmds[i].name, name) == 0)
			return &cmds[i];
	return NULL;
}

static void
print_help(FILE *f)
{
	fprintf(f, "usage: sealroom [--conf FILE] [--json] VERB ...\n\n");
	for (size_t i = 0; i < NCMDS; i++)
		fprintf(f, "  %-9s %s\n", cmds[i].name, cmds[i].summary);
	fprintf(f, "\nsealroom help VERB shows its arguments; sealroom(1) has all of it.\n");
}

static int
cmd_help(struct cmd_args *a)
{
	const struct cmd *c = a->argc == 2 ? cmd_find(a->argv[1]) : NULL;

	if (a->argc > 2 || (a->argc == 2 && c == NULL))
		return cmd_usage(a);
	if (c == NULL)
		print_help(stdout);
	else
		printf("usage: sealroom %s %s\n\n%s\n", c->name, c->args, c->summary);
	return cmd_done(EX_OK);
}

static int
cmd_version(struct cmd_args *a)
{
	if (a->argc != 1)
		return cmd_usage(a);
	if (a->json)
		return cmd_json(json_pack("{s:s, s:s}", "version", build_version, "build", build_id));
	printf("sealroom %s, build %s\n", build_version, build_id);
	return cmd_done(EX_OK);
}

int
main(int argc, char **argv)
{
	const struct cmd help = { "", "[--conf FILE] [--json] VERB ...", "", NULL };
	const char *conf = getenv("SEALROOM_CONF");
	static char help_word[] = "help";
	struct cmd_args a = { .cmd = &help, .argc = argc, .argv = argv };

	proc_start("sealroom", STDERR_FILENO);
	a.conf_path = conf != NULL && conf[0] != '\0' ? conf : CMD_CONF_DEFAULT;
	a.json = cmd_flag(&a, "--json");
	if (cmd_option(&a, "--conf", &a.conf_path) < 0)
		return cmd_usage(&a);
	if (a.argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	a.argc--;
	a.argv++;
	if (strcmp(a.argv[0], "-h") == 0)
		a.argv[0] = help_word;
	a.cmd = cmd_find(a.argv[0] + (strncmp(a.argv[0], "--", 2) == 0 ? 2 : 0)); /* --help, --version */
	if (a.cmd == NULL) {
		a.cmd = &help;
		fprintf(stderr, "sealroom: no verb '%s'\n", a.argv[0]);
		return cmd_usage(&a);
	}
	return a.cmd->run(&a);
}
