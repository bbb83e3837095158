#!/bin/bash
# Hardening of the programs as they came out of the linker.
. "$(dirname "$0")/lib.sh"
need readelf
PROGRAMS="sealroomd sealroom-scan sealroom-seal sealroom-verify sealroom-fetch sealroom"

head_of() { readelf -hW "$1"; }
pie() { head_of "$1" | grep -q 'Type:.*DYN' && readelf -lW "$1" | grep -q INTERP; }
relro() { readelf -lW "$1" | grep -q GNU_RELRO && readelf -dW "$1" | grep -qE 'BIND_NOW|FLAGS.*NOW'; }
stack() { readelf -lW "$1" | grep GNU_STACK | grep -q ' RW ' ; }
separate() { ! readelf -lW "$1" | grep LOAD | grep -q 'RWE'; }
path() { ! readelf -dW "$1" | grep -qE 'RPATH|RUNPATH|TEXTREL'; }
canary() { readelf --dyn-syms -W "$1" | grep -q '__stack_chk_fail'; }
fortify() { readelf --dyn-syms -W "$1" | grep -qE ' __[a-z]+_chk(@|$)'; }
setuid() { [ ! -u "$1" ] && [ ! -g "$1" ]; }
# Symbols a program defines for others: nothing but what the start files and
# copy relocations of libc's own objects bring.
exports() {
	readelf --dyn-syms -W "$1" | awk '$7 != "UND" && $5 == "GLOBAL" && $4 != "SECTION" { sub(/@.*/, "", $8); print $8 }' |
	    grep -vxE 'std(in|out|err)|environ|__environ|optarg|optind|opterr|optopt|_IO_stdin_used|__progname|program_invocation.*|_nl_msg_cat_cntr|_Z.*' |
	    grep -vxE '_init|_fini|__bss_start|_edata|_end|__data_start|data_start|main|_start'
}

# -fcf-protection marks a program only when the system's start files carry the note too.
echo 'int main(void) { return 0; }' >"$W/empty.c"
cet=0
if gcc -fcf-protection=full -o "$W/empty" "$W/empty.c" 2>/dev/null && readelf -nW "$W/empty" | grep -q IBT; then
	cet=1
else
	skip "the programs carry the note for indirect branch tracking" "the start files of this system have none"
fi

for p in $PROGRAMS; do
	f=$BIN/$p
	[ -x "$f" ] || { ok 1 "$p is built"; continue; }
	pie "$f"; ok $? "$p is position independent"
	relro "$f"; ok $? "$p: relocations are read-only and bound at start"
	stack "$f"; ok $? "$p: the stack can not be executed"
	separate "$f"; ok $? "$p: no segment is writable and executable"
	path "$f"; ok $? "$p: no rpath, no text relocations"
	canary "$f"; ok $? "$p: stack protector"
	fortify "$f"; ok $? "$p: fortified string and memory functions"
	setuid "$f"; ok $? "$p is neither setuid nor setgid"
	is "$(exports "$f" | tr '\n' ' ')" "" "$p exports no symbol"
	[ $cet = 0 ] || { readelf -nW "$f" | grep -q IBT; ok $? "$p carries the note for indirect branch tracking and shadow stack"; }
done

# The checks are able to fail: a program built without any of it.
echo 'int x; int main(void) { char b[9]; return b[x]; }' >"$W/bare.c"
if command -v gcc >/dev/null && gcc -no-pie -fno-stack-protector -fcf-protection=none -rdynamic -Wl,-z,norelro,-z,execstack \
    -Wl,-rpath,/tmp -o "$W/bare" "$W/bare.c" 2>/dev/null; then
	for c in pie relro stack path canary fortify; do
		"$c" "$W/bare"
		[ $? != 0 ]; ok $? "the check '$c' refuses a bare program"
	done
	like "$(exports "$W/bare")" '^x$' "the check 'exports' sees a symbol"
fi
finish
