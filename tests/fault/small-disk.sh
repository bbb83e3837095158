#!/bin/bash
# limit: 400
# Disks that fill up: hot folder, spool, archive with its log, and the log's second
# record, each on one of its own; full, or nearly, while a letter comes in.  Nothing is lost or
# rejected, and when there is space again the letter comes back, once.
#
# The disks are tmpfs, mounted in a user namespace in which we keep our uid.  Where that
# is not allowed tests/system/050-full-disk.sh still does it by the tracer.
if [ -z "${SMALL_DISK-}" ] && unshare -Um --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps true 2>/dev/null; then
	SMALL_DISK=1 exec unshare -Um --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps "$0" "$@"
fi
. "$(dirname "$0")/../lib.sh"
[ -n "${SMALL_DISK-}" ] || skip_all "user namespaces are not allowed here"
need python3 softhsm2-util
need_program sealroomd sealroom
disk() { # directory: what lies there moves to a disk of its own
	cp -a "$1" "$W/moved" &&
	    python3 -c 'import ctypes, os, sys
r = ctypes.CDLL(None, use_errno=True).mount(b"none", sys.argv[1].encode(), b"tmpfs", 0,
    b"size=16m,mode=700,uid=%d,gid=%d" % (os.getuid(), os.getgid()))
sys.exit(0 if r == 0 else 1)' "$1" && cp -a "$W/moved/." "$1/" && rm -rf "$W/moved"
}
room_new
LEVEL=B-B
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
EXTRA='space_floor = "1KiB";'
room_settings
room_once
is $? 0 "an empty room comes to rest" || daemon_said
DISKS="in state archive anchor"
for d in $DISKS; do disk "$R/$d" || skip_all "a file system can not be mounted here"; done
room_once
is $? 0 "and on four small disks" || daemon_said
mkdir "$W/sender"
"$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$W/letter.tif"

# All but so many KiB of a disk are taken.
fill() { # directory KiB
	local free
	free=$(($(stat -f -c '%a * %S' "$1") / 1024))
	[ "$free" -le "$2" ] || fallocate -l $(((free - $2) * 1024)) "$1/.filler"
}
n=0
for d in $DISKS; do
	for left in 0 12 80; do
		n=$((n + 1))
		cp "$W/letter.tif" "$W/sender/l$n.tif" && printf '%04d' $n >>"$W/sender/l$n.tif"
		drop "$W/sender/l$n.tif"
		fill "$R/$d" $left
		room_once --wait 1
		rc=$?
		[ $rc -lt 124 ] && { [ $rc != 0 ] || [ -n "$(find "$R/in/$DONE" -name "l$n.pdf")" ]; }
		ok $? "$left KiB left of $d: nothing is said to be done that is not (status $rc)" || daemon_said
		rm -f "$R/$d/.filler"
		[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
		room_once
		is $? 0 "with space again, the work is finished" || daemon_said
		"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
		is $? 0 "nothing lost, nothing rejected" || note "$(cat "$W/check")"
	done
done
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive is proven" || note "$(tail -n 5 "$W/audit")"
for d in $DISKS; do python3 -c 'import ctypes, sys; ctypes.CDLL(None).umount2(sys.argv[1].encode(), 2)' "$R/$d"; done
finish
