/*
 * unitfilter NAMES COMMAND [ARGUMENT...] - run a command behind a unit's SystemCallFilter.
 *
 * NAMES is a file with the allowed system calls, one a line; names that this
 * kernel's libseccomp does not know are left out, as the service manager does.
 * All others fail with EPERM (SystemCallErrorNumber=EPERM), "NAME ENOSYS" with that.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	char name[80];
	int allowed = 0;
	FILE *in;

	if (argc < 3 || f == NULL || (in = fopen(argv[1], "re")) == NULL)
		return 64;
	while (fgets(name, sizeof(name), in) != NULL) {
		uint32_t deed = strstr(name, " ENOSYS") != NULL ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW;
		int nr;

		name[strcspn(name, " \n")] = '\0';
		if ((nr = seccomp_syscall_resolve_name(name)) != __NR_SCMP_ERROR && seccomp_rule_add(f, deed, nr, 0) == 0)
			allowed++;
	}
	fclose(in);
	if (allowed < 100 || seccomp_load(f) < 0)
		return 70;
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
