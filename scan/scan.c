/*
 * sealroom-scan - opens documents, and nothing else.
 *
 * A zygote (agent/lib/task.h): reads the settings and, where asked, loads the
 * recognition models once, then forks a child for each task.  A child gets a
 * hostile document as a descriptor, and descriptors to write to; it connects to
 * nothing, has no key, and opens nothing (design rule: who parses a document has
 * no key, no network, no path), but for fonts where a PDF is drawn.
 */
#include <fcntl.h>
#include <jansson.h>
#include <qpdf/qpdf-c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/confine.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

#include "scan/barcode.h"
#include "scan/compose.h"
#include "scan/field.h"
#include "scan/files.h"
#include "scan/finish.h"
#include "scan/foreign.h"
#include "scan/inspect.h"
#include "scan/look.h"
#include "scan/keptpage.h"
#include "scan/ocr.h"
#include "scan/page.h"
#include "scan/picture.h"
#include "scan/proof.h"
#include "scan/scan.h"
#include "scan/sigs.h"
#include "scan/starved.h"

/* Memory, the descriptors that were given, one socket, the end. */
#define CALLS_COMMON \
	__NR_read, __NR_write, __NR_close, __NR_poll, __NR_sendmsg, __NR_recvmsg, __NR_brk, __NR_munmap, __NR_mremap, \
	__NR_madvise, __NR_futex, __NR_getrandom, __NR_clock_gettime, __NR_rt_sigprocmask, __NR_rt_sigreturn, \
	__NR_restart_syscall, __NR_exit, __NR_exit_group, __NR_fstat, __NR_newfstatat, __NR_pread64, __NR_lseek, \
	__NR_sysinfo /* qsort(3) asks how much memory there is */

/* Fewer than 30, with mmap and mprotect, which agent/lib/confine.c adds (never executable). */
static const int child_calls[] = { CALLS_COMMON, __NR_pwrite64, -1 };

/*
 * Who draws a PDF may open what is not in it: fonts and character maps.  What
 * poppler and freetype do with fcntl(2) they can do without.
 */
static const int draw_calls[] = { CALLS_COMMON, __NR_pwrite64, __NR_openat, -1 };
static const int draw_refused[] = { __NR_fcntl, -1 };
static const struct confine_path draw_paths[] = {
	{ "/usr/share/fonts", CONFINE_READ, true },
	{ "/usr/local/share/fonts", CONFINE_READ, true },
	{ "/usr/share/poppler", CONFINE_READ, true },
	{ NULL, 0, false },
};

/* To fork, to watch, to reap; and what a child needs to give up the rest. */
static const int zygote_calls[] = { CALLS_COMMON, __NR_dup2, __NR_pidfd_open, __NR_wait4, __NR_close_range, __NR_set_robust_list,
	__NR_gettid, __NR_getpid, __NR_prctl, __NR_prlimit64, __NR_seccomp, __NR_landlock_create_ruleset,
	__NR_landlock_add_rule, __NR_landlock_restrict_self, __NR_pwrite64, __NR_openat, -1 };

/* What it may open it may for those of its children that draw; all others give it up. */
static const struct confine scan_zygote = { .name = "scan", .paths = draw_paths, .syscalls = zygote_calls,
	.refused = draw_refused, .allow_fork = true, .fsize_bytes = UINT64_MAX };
static const struct confine scan_child = { .name = "scan task", .syscalls = child_calls };
static const struct confine scan_draw = { .name = "scan drawing", .paths = draw_paths, .syscalls = draw_calls,
	.refused = draw_refused };

static int
read_conf(int fd, struct scan_state *s, struct err *e)
{
	struct settings settings;
	struct conf *conf = NULL;
	int r;

	if ((r = settings_read(fd, &settings, e)) < 0)
		return r;
	if ((r = conf_parse(&conf, settings.conf, e)) == 0)
		r = look_load(&s->looks, conf, &settings, e);
	settings_done(&settings);
	s->conf = conf;
	return r;
}

/*
 * Pages are read again when anything changes that could read them otherwise:
 * the models, and every source file of this program.
 */
static void
data_hash(const struct scan_state *s, uint8_t out[HASH_LEN])
{
	uint8_t models[HASH_LEN] = { 0 };
	struct hash *h = hash_open();

	if (s->ocr != NULL)
		ocr_data_hash(s->ocr, models);
	hash_add(h, models, sizeof(models));
	hash_add(h, build_id, strlen(build_id));
	hash_final(h, out);
}

static int
setup(int settings, uint32_t flags, struct buf *ready, void **state, struct err *e)
{
	static struct scan_state s;
	struct ready_scan facts = { 0 };
	int r;

	json_object_seed(0); /* reads /dev/urandom, which a child can not open */
	if ((r = read_conf(settings, &s, e)) < 0)
		return r;
	if ((flags & SETTINGS_OCR) && (r = ocr_open(&s.ocr, &s.conf->scan.languages, e)) < 0)
		return r;
	if (s.ocr != NULL)
		ocr_name(s.ocr, s.engine_name, sizeof(s.engine_name));
	else if ((flags & SETTINGS_OCR_LOOK) && (r = ocr_look(&s.conf->scan.languages, s.engine_name, sizeof(s.engine_name), e)) < 0)
		return r;
	if ((flags & (SETTINGS_OCR | SETTINGS_OCR_LOOK)) && (r = foreign_warm(e)) < 0)
		return r;
	if (s.ocr != NULL)
		barcode_warm();
	memcpy(facts.engine, s.engine_name, sizeof(facts.engine));
	data_hash(&s, facts.data_hash);
	ready_scan_put(ready, &facts);
	*state = &s;
	return 0;
}

static const struct task_kind kinds[] = {
	{ TASK_INSPECT, "inspect", inspect_run, NULL },
	{ TASK_PAGE, "page", page_run, NULL },
	{ TASK_COMPOSE, "compose", compose_run, NULL },
	{ TASK_EXPLAIN, "explain", explain_run, NULL },
	{ TASK_FIELD, "field", field_run, NULL },
	{ TASK_FINISH, "finish", finish_run, NULL },
	{ TASK_SIGS, "sigs", sigs_run, NULL },
	{ TASK_PICTURE, "picture", picture_run, NULL },
	{ TASK_KEPT_PAGE, "kept-page", keptpage_run, &scan_draw },
	{ TASK_KEPT_PICTURE, "kept-picture", keptpicture_run, &scan_draw },
	{ TASK_FILES, "files", files_run, NULL },
	{ TASK_PROOF, "proof", proof_run, NULL },
	{ TASK_PART, "part", part_run, NULL },
};

static const struct task_role scan_role = {
	.program = "sealroom-scan",
	.role = ROLE_SCAN,
	.kinds = kinds,
	.nkinds = sizeof(kinds) / sizeof(kinds[0]),
	.setup = setup,
	.zygote = &scan_zygote,
	.child = &scan_child,
	.begins = starved_begin,
	.starved = starved,
};

int
main(void)
{
	struct err e = { 0 };

	proc_start("sealroom-scan", WIRE_FD);
	if (task_serve(&scan_role, &e) < 0) {
		log_err(LOG_ERR, "stopped", &e);
		_exit(EXIT_FAILURE);
	}
	/* without the destructors of the recognition library, which complain of what lives as long as we do */
	_exit(EXIT_SUCCESS);
}
