# tests.mk - tests, figures, installation; included by the Makefile, which has the rest.

# --- packages -----------------------------------------------------------------------------
# Installs what is missing, as root; without root it prints the one command.
deps:
	@missing="$$(for p in $(BUILD_PACKAGES) $(TEST_PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done)"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	set -- apt-get install -y --no-install-recommends $$missing; \
	if [ "$$(id -u)" != 0 ]; then echo "these packages are missing; install them with:"; echo "  sudo $$*"; exit 1; fi; \
	echo "installing: $$missing"; export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -q && "$$@"

# --- helpers of the tests: C programs below $O/tests ---------------------------------------
HELPER_SRC = $(filter-out %/p11fault.c %/unitfilter.c %/oom.c %/planted.c %/tamper.c,$(wildcard tests/fault/*.c tests/tools/*.c))
HELPER = $(addprefix $O/tests/,$(notdir $(basename $(sort $(HELPER_SRC)))))
ESCAPE = $(patsubst tests/escape/%.c,$O/tests/%,$(wildcard tests/escape/*.c))
BARE = $O/tests/b_bare

define helper
$O/tests/$(notdir $(basename $1)): $1
	@mkdir -p $$(@D)
	$$(CC) $$(filter-out -fsanitize%,$$(ALL_CFLAGS)) -pie -o $$@ $$<
endef
$(foreach s,$(sort $(HELPER_SRC)),$(eval $(call helper,$s)))

# The limit to compare with: recognition alone, none of our objects.
$(BARE): tests/bench/b_bare.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize%,$(ALL_CFLAGS)) $(PKG_CFLAGS) -pie -o $@ $< $(shell pkg-config --libs tesseract lept libtiff-4)

# What the log costs; how long the core is held, what a start costs; the memory of composing.
$O/tests/b_log $O/tests/b_core $O/tests/b_compose: $O/tests/%: tests/bench/%.c $O/libtest.a $O/librules.a $O/libagent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -pie -o $@ $^ $(shell pkg-config --libs libcrypto jansson libconfig) -ldl

# Where seals go: pages read and placed by the very objects of the programs.
$O/tests/b_place: tests/bench/b_place.c $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -pie -o $@ $< $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN) \
	  $(shell pkg-config --libs $(ALLPKG)) -ldl -lm

$O/tests/clockstep.so: tests/clock/step.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize% -fPIE,$(ALL_CFLAGS)) -fPIC -shared -Wno-missing-prototypes -o $@ $<

$O/tests/p11fault.so: tests/tools/p11fault.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize% -fPIE,$(ALL_CFLAGS)) -fPIC -shared $(shell pkg-config --cflags p11-kit-1) -o $@ $< -ldl -lpthread

$O/tests/unitfilter: tests/tools/unitfilter.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize%,$(ALL_CFLAGS)) -pie -o $@ $< $(shell pkg-config --libs libseccomp)

$O/tests/oom.so: tests/fault/oom.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize% -fPIE,$(ALL_CFLAGS)) -fPIC -shared -o $@ $< -lgcc_s

# Thousands of audits in one process.
$O/tests/tamper: tests/fault/tamper.c $O/libtest.a $O/librules.a $O/libagent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -pie -Wl,--wrap=hash_fd -o $@ $^ $(shell pkg-config --libs libcrypto jansson libconfig) -ldl

# The core with bugs for the fault tests to find: its own objects, and calls turned aside by the linker.
WRAPPED = fsync fdatasync unlinkat write io_pread_full io_copy elog_find path_display
$O/tests/planted: tests/fault/planted.c $(sealroomd_SRC:%.c=$O/%.o) $O/librules.a $O/libagent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -pie $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(shell pkg-config --libs $(sealroomd_PKG)) -ldl -lm

$(ESCAPE): $O/tests/%: tests/escape/%.c $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -pie -o $@ $< $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN) \
	  $(shell pkg-config --libs $(ALLPKG)) -ldl -lm

# The judges of PDF/A and of evidence records are Java; compiled here, because tests can not write below $O.
$O/tests/evidence/Evidence.class: tests/tools/Evidence.java
	@mkdir -p $(@D)
	if command -v javac >/dev/null; then SEALROOM_BIN=$(abspath $O) tests/tools/evidence /dev/null >/dev/null 2>&1; fi; true
$O/tests/preflight/Preflight.class: tests/tools/Preflight.java
	@mkdir -p $(@D)
	if command -v javac >/dev/null; then SEALROOM_BIN=$(abspath $O) tests/tools/preflight /dev/null >/dev/null 2>&1; fi; true

# And so is who signs PDFs before they come to us.
$O/tests/signer/Signer.class: tests/tools/Signer.java
	@mkdir -p $(@D)
	if command -v javac >/dev/null; then SEALROOM_BIN=$(abspath $O) tests/tools/signer </dev/null >/dev/null 2>&1; fi; true

# A reader with a back door, of the same objects: beside it the other programs as they are.
DOOR = $O/tests/backdoor/sealroom-scan
DOOR_KINDS = inspect page compose field sigs picture keptpage files
$(DOOR): tests/backdoor/door.c $(sealroom-scan_SRC:%.c=$O/%.o) $(sealroom-scan_GEN) $O/librules.a $O/libagent.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(LINK) $(LDFLAGS) $(DOOR_KINDS:%=-Wl,--wrap=%_run) -o $@ $^ \
	  $(shell pkg-config --libs $(sealroom-scan_PKG)) -ldl -lm
	for p in seal verify fetch; do ln -sf ../../sealroom-$$p $(@D)/ || exit 1; done

# What the tests of the whole daemon use.
ASIDE = $(HELPER) $(DOOR) $O/tests/p11fault.so $O/tests/clockstep.so $O/tests/unitfilter $O/tests/oom.so \
  $O/tests/preflight/Preflight.class $O/tests/evidence/Evidence.class \
  $O/tests/signer/Signer.class
tests: all $(UNIT) $(ASIDE) $(ESCAPE) $O/tests/planted $O/tests/tamper $O/tests/b_place

# --- check, asan -----------------------------------------------------------------------------
# Variables of pkg-config are read before deps ran: so the work is done by a second make.
JOBS := $(shell n=$$(nproc); [ $$n -gt 2 ] && n=2; echo $$n)
SCRIPTS = tests/runner.sh tests/cleanup.sh tests/layers.sh tests/flags.sh tests/links.sh tests/words.sh tests/scripts.sh tests/threats.sh tests/fuzz/fuzz.sh
SYSTEM = $(sort $(wildcard tests/system/*.sh))
FAULT = $(sort $(wildcard tests/fault/*.sh))
ESCAPES = $(sort $(wildcard tests/escape/*.sh))

check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@$(MAKE) --no-print-directory -j$(JOBS) fuzz-build
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory check-root; \
	else echo "skipped: tests/root ($(words $(wildcard tests/root/*.sh)) scripts): several users are needed, and so root"; fi
	@$(MAKE) --no-print-directory check-run

# What wants several users, and so wants root: apart from all the rest, which refuses it.
check-root:
	SEALROOM_BIN=$(abspath $O) tests/prove.sh -j 1 -l $(abspath $O)/log $(sort $(wildcard tests/root/*.sh))

check-run:
	O=$O tests/unroot.sh -w $O/log tests/prove.sh -j $(JOBS) -l $O/log $(SCRIPTS) $(UNIT) $(ESCAPES) $(SYSTEM) $(FAULT)

ASAN_O = build-asan
asan: deps
	@$(MAKE) --no-print-directory -j$(JOBS) O=$(ASAN_O) $(ASAN_FLAGS) tests
	@$(MAKE) --no-print-directory O=$(ASAN_O) $(ASAN_FLAGS) asan-run
ASAN_FLAGS = OPT='-O1 -g' \
  EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DSEALROOM_SANITIZE'

asan-run:
	O=$O SEALROOM_ASAN=1 SWEEP=sample UBSAN_OPTIONS=print_stacktrace=1 \
	  tests/unroot.sh -w $O/log tests/prove.sh -j $(JOBS) -t 900 -l $O/log $(UNIT) $(SYSTEM) $(FAULT)

# --- fuzz --------------------------------------------------------------------------------------
# Objects of their own below $O/fuzz, because every one of them is instrumented: clang's
# libFuzzer with ASan and UBSan.  Only what the targets read is built.
FUZZ_CC = clang-14
FUZZ_SECONDS ?= 600
FUZZ_SRC = $(wildcard tests/fuzz/f_*.c)
FUZZ = $(FUZZ_SRC:tests/fuzz/%.c=$O/tests/%)
FUZZ_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSEALROOM_SANITIZE
FUZZ_OBJ = $(patsubst %.c,$O/%.o,$(filter-out %/verify.c,$(wildcard seal/verify/*.c)) $(filter-out %/scan.c,$(wildcard scan/*.c)) \
  $(CORE) $(EVIDENCE))

fuzz: deps
	@$(MAKE) --no-print-directory -j$(JOBS) fuzz-build
	O=$O FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_ONLY="$(FUZZ_ONLY)" tests/unroot.sh -w $O/log tests/prove.sh -j 1 -t 100000 -l $O/log tests/fuzz/fuzz.sh

fuzz-build:
	@$(MAKE) --no-print-directory O=$O/fuzz CC=$(FUZZ_CC) WARN='-Wall -Wextra -Werror' HARDEN= OPT='-O1 -gline-tables-only' \
	  EXTRA_CFLAGS='-fsanitize=fuzzer-no-link $(FUZZ_FLAGS)' fuzz-targets
fuzz-targets: $(FUZZ)

$O/libfuzz.a: $(FUZZ_OBJ)
	@rm -f $@; ar rcs $@ $^
$(FUZZ): $O/tests/%: tests/fuzz/%.c tests/fuzz/fuzz.h $O/libfuzz.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN)
	@mkdir -p $(@D)
	$(if $Q,@echo '  FUZZ $<')
	$Q$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $O/libfuzz.a $O/librules.a $O/libagent.a \
	  $(sealroom-scan_GEN) -Wl,--as-needed $(shell pkg-config --libs $(ALLPKG)) -ldl -lm
-include $(FUZZ:%=%.d)

# --- coverage ------------------------------------------------------------------------------------
# Which lines of the core and of the evidence log the tests reach.  Only those objects are
# counted: they run in processes that may write files, unlike whatever is confined.
COV_O = build-cov
COV_SYSTEM = $(SYSTEM) tests/fault/sweep.sh
COV_OBJ = $(patsubst %.c,$O/%.o,$(CORE) $(EVIDENCE) agent/sealroomd.c agent/sealroom.c $(wildcard agent/cmd_*.c))

coverage: deps
	@$(MAKE) --no-print-directory -j$(JOBS) O=$(abspath $(COV_O)) COVERAGE=1 coverage-build
	@O=$(abspath $(COV_O)) SWEEP=$${SWEEP:-every-3} tests/unroot.sh -w $(COV_O)/log tests/coverage.sh -j $(JOBS) \
	  $(UNIT:$O/%=$(COV_O)/%) $(COV_SYSTEM)
coverage-build: all $(UNIT) $(ASIDE) $O/tests/b_place
ifdef COVERAGE
$(COV_OBJ): EXTRA_CFLAGS += --coverage -O0 -U_FORTIFY_SOURCE
$O/sealroomd $O/sealroom: private LDFLAGS += --coverage
$(UNIT): private EXTRA_CFLAGS += --coverage
endif

# --- lint --------------------------------------------------------------------------------------
lint: deps
	@$(MAKE) --no-print-directory lint-run
# cppcheck does not know the cleanup attribute (memleak), nor names left out of a prototype.
lint-run:
	$(MAKE) --no-print-directory -j$(JOBS) O=build-clang CC=clang-14 tests
	cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
	  --suppress=memleak --suppress=funcArgOrderDifferent \
	  --suppress=unknownMacro -j $(JOBS) -I. $(wildcard agent/*.c agent/lib/*.c rules/*.c scan/*.c seal/*.c seal/*/*.c) \
	  $(wildcard tests/*/*.c)
	shellcheck -x -P SCRIPTDIR -S warning tests/*.sh tests/*/*.sh tests/fault/torture .ci/run
	@for p in $(MAN); do mandoc -T lint -W warning $$p || exit 1; done
	@echo "lint: nothing found"

# --- figures -------------------------------------------------------------------------------------
bench: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests $(BARE) $O/tests/b_log $O/tests/b_core $O/tests/b_compose
	@O=$O tests/unroot.sh -w $O/bench tests/bench/run.sh

# What files cost that are made to cost much, and what letters beside them notice of it.
bench-bombs: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@O=$O tests/unroot.sh tests/bench/bombs.sh

# What the number of pages costs: LONG_TIFF, LONG_PDF.
bench-long: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@O=$O tests/unroot.sh tests/bench/long.sh

# How well and how fast scans are read, against OCRmyPDF, Tesseract, and recognition alone.
bench-ocr: TEST_PACKAGES += $(BENCH_PACKAGES)
bench-ocr: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests $(BARE)
	@O=$O tests/unroot.sh tests/bench/ocr.sh

# What becomes of the files that others test their readers with: ODD_EACH, ODD_ONLY.
ODD_PACKAGES = tiff leptonlib pillow qpdf poppler pdf.js openjpeg2 libpng1.6 libjpeg-turbo libwebp libpdfbox2-java pikepdf mupdf
odd-inputs: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@tests/tools/odd-fetch $O/odd $(ODD_PACKAGES)
	@O=$O tests/unroot.sh tests/odd-inputs.sh $(abspath $O)/odd

# Where seals go, on pages drawn for it: PLACE_PAGES, PLACE_SEED.
bench-place: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all $O/tests/b_place
	@O=$O tests/unroot.sh -w $O/place tests/bench/place.sh

# --- torture: hours; goes on where it was stopped -------------------------------------------------
.PHONY: torture
torture: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@O=$O tests/unroot.sh -w $O/torture tests/fault/torture $O/torture

# --- demo, install ---------------------------------------------------------------------------------
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all $O/tests/within
	@O=$O tests/unroot.sh -w demo tests/demo.sh

MAN = $(wildcard agent/*.[1-8] scan/*.[1-8] seal/*.[1-8] seal/*/*.[1-8] rules/*.[1-8])
UNITS = $(notdir $(wildcard systemd/*.service systemd/*.timer)) sealroom-seal@log.service.d/log.conf
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXEC) $(DESTDIR)/etc/sealroom
	install -m 755 $O/sealroom $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $O/sealroomd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $O/sealroom-scan $O/sealroom-seal $O/sealroom-verify $O/sealroom-fetch $(DESTDIR)$(LIBEXEC)/
	for p in $(MAN); do install -D -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$${p##*/} || exit 1; done
	for m in $(PO:agent/po/%.po=%); do \
	  install -D -m 644 $O/locale/$$m/LC_MESSAGES/sealroom.mo \
	    $(DESTDIR)$(PREFIX)/share/locale/$$m/LC_MESSAGES/sealroom.mo || exit 1; done
	for u in $(UNITS); do install -D -m 644 systemd/$$u $(DESTDIR)$(PREFIX)/lib/systemd/system/$$u && \
	  sed -i 's#^ExecStart=/usr/#ExecStart=$(PREFIX)/#' $(DESTDIR)$(PREFIX)/lib/systemd/system/$$u || exit 1; done
	install -D -m 644 systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/sealroom.conf
	install -D -m 644 systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sealroom.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/catalog systemd/sealroom.catalog systemd/sealroom.de.catalog
	install -D -m 644 agent/ticket.schema.json $(DESTDIR)$(PREFIX)/share/sealroom/ticket.schema.json
	install -D -m 644 systemd/sealroom.conf $(DESTDIR)$(PREFIX)/share/doc/sealroom/examples/sealroom.conf

.PHONY: bench-ocr bench-bombs bench-long bench-place odd-inputs tests check-root check-run asan-run lint-run fuzz fuzz-build fuzz-targets coverage coverage-build
