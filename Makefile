# sealroom - GNU make and pkg-config, no configure step.
#
#   make          build everything below $O
#   make deps     install the Debian packages that are missing
#   make demo     the main job, end to end, below ./demo
#   make check    all tests        make asan   the same under ASan and UBSan
#   make lint     static checks    make bench  figures
#   make bench-place  where seals go on drawn pages, by difficulty
#   make torture  every fault at every call, for hours; goes on where it was stopped
#   make odd-inputs  the files that others test their readers with, each to its end
#   make fuzz     hostile bytes, ten minutes a reader   make coverage   lines the tests reach
#   make install  DESTDIR, PREFIX  make clean
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

O ?= build
VERSION := 0.1.0
PREFIX ?= /usr
LIBEXEC ?= $(PREFIX)/libexec/sealroom
V ?= 0
Q := $(if $(filter 1,$V),,@)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))

include .packages.mk

# --- what belongs to which program: the code that shares its secrets -------------------
LIB = $(wildcard agent/lib/*.c)
RULES = $(wildcard rules/*.c)
BIN = sealroomd sealroom-scan sealroom-seal sealroom-verify sealroom-fetch sealroom

sealroomd_SRC       = agent/sealroomd.c $(CORE) $(EVIDENCE)
sealroomd_PKG       = libcrypto libseccomp libconfig jansson
sealroom-scan_SRC   = $(wildcard scan/*.c)
sealroom-scan_PKG   = tesseract lept libqpdf poppler-glib libtiff-4 libjpeg libpng zlib harfbuzz-subset fribidi libqrencode zbar libseccomp libconfig jansson libcrypto
sealroom-seal_SRC   = $(wildcard seal/*.c)
sealroom-seal_PKG   = libseccomp libcrypto libp11 libconfig jansson p11-kit-1
sealroom-verify_SRC = $(wildcard seal/verify/*.c)
sealroom-verify_PKG = libseccomp libcrypto
sealroom-fetch_SRC  = $(wildcard seal/fetch/*.c)
sealroom-fetch_PKG  = libseccomp libcrypto libssl libconfig jansson
sealroom_SRC        = agent/sealroom.c $(wildcard agent/cmd_*.c) $(CORE) $(EVIDENCE)
sealroom_PKG        = libcrypto libseccomp libconfig jansson

CORE     = $(filter-out agent/sealroom.c agent/sealroomd.c $(wildcard agent/cmd_*.c),$(wildcard agent/*.c))
EVIDENCE = $(wildcard seal/evidence/*.c)

# --- flags ------------------------------------------------------------------------------
WARN = -Wall -Wextra -Wformat=2 -Wconversion -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE \
         -fno-strict-overflow -fno-delete-null-pointer-checks
ifneq ($(findstring clang,$(CC)),clang)
HARDEN += -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
else
HARDEN += -Wno-unused-command-line-argument
endif
OPT ?= -O2 -D_FORTIFY_SOURCE=3
LINK = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,defs,--as-needed
ALLPKG := $(sort $(foreach b,$(BIN),$($b_PKG)))
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -isystem $O $(OPT) -g $(WARN) $(HARDEN) $(CFLAGS) $(EXTRA_CFLAGS)

all: $(BIN:%=$O/%) $O/locale

# --- generated: build id, sRGB profile, embedded font -----------------------------------
SOURCES = $(wildcard agent/*.[ch] agent/lib/*.[ch] rules/*.[ch] scan/*.[ch] seal/*.[ch] seal/*/*.[ch])
$O/build_id.c: $(SOURCES)
	@mkdir -p $(@D)
	@printf 'extern const char build_id[];\nextern const char build_version[];\nconst char build_id[] = "%s";\nconst char build_version[] = "$(VERSION)";\n' \
	  "$$(cat $(sort $(SOURCES)) | sha256sum | cut -c1-16)" > $@.tmp && mv $@.tmp $@

-include scan/gen.mk

# --- objects and programs ---------------------------------------------------------------
$O/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $Q,@echo '  CC   $<')
	$Q$(CC) $(ALL_CFLAGS) -DSEALROOM_LIBEXEC='"$(LIBEXEC)"' $(PKG_CFLAGS) -MMD -MP -c -o $@ $<
$O/seal/evidence/layout.o: seal/evidence/archive-readme.txt seal/evidence/archive-readme-1.txt seal/evidence/archive-readme-2.txt
$O/agent/placepage.o: agent/placepage.html
$O/build_id.o: $O/build_id.c
	$Q$(CC) $(ALL_CFLAGS) -c -o $@ $<

PKG_CFLAGS := $(shell pkg-config --cflags $(ALLPKG) 2>/dev/null | sed 's/-I/-isystem /g')

$O/libagent.a: $(LIB:%.c=$O/%.o) $O/build_id.o
	@rm -f $@; ar rcs $@ $^
$O/librules.a: $(RULES:%.c=$O/%.o)
	@rm -f $@; ar rcs $@ $^

define program
$O/$1: $$($1_SRC:%.c=$O/%.o) $$($1_GEN) $O/librules.a $O/libagent.a
	$$(if $$Q,@echo '  LINK $1')
	$$Q$$(CC) $$(ALL_CFLAGS) $$(LINK) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs $$($1_PKG)) -ldl -lm
endef
$(foreach b,$(BIN),$(eval $(call program,$b)))

# --- words: po files are compiled to $O/locale/LANG/LC_MESSAGES/sealroom.mo -------------
PO = $(wildcard agent/po/*.po)
$O/locale: $(PO:agent/po/%.po=$O/locale/%/LC_MESSAGES/sealroom.mo)
	@mkdir -p $@; touch $@
$O/locale/%/LC_MESSAGES/sealroom.mo: agent/po/%.po
	@mkdir -p $(@D)
	msgfmt --check --use-fuzzy -o $@ $<

# --- unit tests: one program each, linked against everything that has no main -----------
UNIT_SRC = $(wildcard tests/unit/t_*.c)
UNIT = $(UNIT_SRC:tests/unit/%.c=$O/tests/%)
TEST_OBJ = $(sort $(foreach b,$(BIN),$($b_SRC:%.c=$O/%.o)))
$O/libtest.a: $(TEST_OBJ)
	@rm -f $@; ar rcs $@ $^
$O/tests/%: tests/unit/%.c $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN)
	@mkdir -p $(@D)
	$(if $Q,@echo '  TEST $<')
	$Q$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -MF $@.d -pie -o $@ $< $O/libtest.a $O/librules.a $O/libagent.a $(sealroom-scan_GEN) \
	  $(shell pkg-config --libs $(ALLPKG)) -ldl -lm
unit: $(UNIT)

-include tests/tests.mk
-include $(patsubst %,$O/%.d,$(basename $(SOURCES))) $(UNIT:%=%.d)

clean:
	rm -rf $O build-* demo

.PHONY: all deps check asan lint bench demo install clean unit
