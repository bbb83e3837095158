#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/lib/proc.h"

#include "agent/core.h"

#define CONF_DEFAULT "/etc/sealroom/sealroom.conf"

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr, "usage: sealroomd [--conf FILE] [--once [--wait SECONDS]] [--version]\n");
	exit(EX_USAGE);
}

static const char *
options(struct core *c, int argc, char **argv)
{
	const char *conf = CONF_DEFAULT;

	c->once_wait_ms = 60000;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--conf") == 0 && i + 1 < argc) {
			conf = argv[++i];
		} else if (strcmp(argv[i], "--once") == 0) {
			c->once = true;
		} else if (strcmp(argv[i], "--wait") == 0 && i + 1 < argc) {
			char *end;
			unsigned long s = strtoul(argv[++i], &end, 10);

			if (*end != '\0' || *argv[i] == '\0' || s > 86400)
				usage();
			c->once_wait_ms = s * 1000;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("sealroomd %s build %s\n", build_version, build_id);
			exit(EX_OK);
		} else {
			usage();
		}
	}
	return conf;
}

int
main(int argc, char **argv)
{
	static struct core c;
	struct err e = { 0 };
	const char *conf = options(&c, argc, argv);
	int status;

	proc_start("sealroomd", STDERR_FILENO);
	if (geteuid() == 0 || getuid() == 0) {
		log_line(LOG_CRIT, "does not run as root: start it as its own user, e.g. through sealroomd.service");
		return EX_NOPERM;
	}
	if (core_open(&c, conf, &e) < 0) {
		const struct conf_problem *p;
		size_t n = e.code == ERR_CONF ? conf_problems(&p) : 0;

		for (size_t i = 0; i < n; i++)
			log_line(LOG_ERR, "%s:%u: %s", p[i].file, p[i].line, p[i].text);
		log_err(LOG_CRIT, "can not start", &e);
		logbook_remedy(&c, &e);
		status = core_exit_of(&e);
	} else {
		e = (struct err){ 0 }; /* what was not there and need not be */
		status = core_run(&c, &e) < 0 ? core_exit_of(&e) : c.exit_code;
		if (e.code != ERR_OK)
			log_err(LOG_CRIT, "ended", &e);
	}
	core_close(&c);
	return status;
}
