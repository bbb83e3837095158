#!/bin/bash
# limit: 500
# Disks that fill up: hot folder, spool, archive with its log, and the log's second
# record, each on one of its own; full, or nearly, while a letter comes in.  Nothing is lost or
# rejected, and when there is space again the letter comes back, once - from the daemon that
# waited, and from the next.
#
# The disks are tmpfs, mounted in a user namespace in which we keep our uid.  Where that
# is not allowed tests/system/050-full-disk.sh still does it by the tracer; root has
# tests/root/loop-disk.sh, with ext4.
if [ -z "${SMALL_DISK-}" ] && unshare -Um --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps true 2>/dev/null; then
	SMALL_DISK=1 exec unshare -Um --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps "$0" "$@"
fi
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/disks.bash"
[ -n "${SMALL_DISK-}" ] || skip_all "user namespaces are not allowed here"
need python3 softhsm2-util
need_program sealroomd sealroom
disk() {
	cp -a "$1" "$W/moved" &&
	    python3 -c 'import ctypes, os, sys
r = ctypes.CDLL(None, use_errno=True).mount(b"none", sys.argv[1].encode(), b"tmpfs", 0,
    b"size=16m,mode=700,uid=%d,gid=%d" % (os.getuid(), os.getgid()))
sys.exit(0 if r == 0 else 1)' "$1" && cp -a "$W/moved/." "$1/" && rm -rf "$W/moved"
}
disks_room
disks_run
disks_restarted
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive is proven" || note "$(tail -n 5 "$W/audit")"
for d in $DISKS; do python3 -c 'import ctypes, sys; ctypes.CDLL(None).umount2(sys.argv[1].encode(), 2)' "$R/$d"; done
finish
