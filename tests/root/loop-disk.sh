#!/bin/bash
# limit: 300
# As tests/fault/small-disk.sh, on ext4: its blocks are taken late, its directories and its
# journal want some of their own.  Only root can mount such disks; the daemon runs as a user.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP wants to be root"; exit 0; }
TMPDIR=/tmp
PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../fault/disks.bash"
need python3 softhsm2-util setpriv mkfs.ext4
need_program sealroomd sealroom
chmod 755 "$W"
DAEMON_UID=20021
AS=(setpriv --reuid "$DAEMON_UID" --regid "$DAEMON_UID" --clear-groups --no-new-privs)
"${AS[@]}" test -x "$BIN/sealroomd" || skip_all "no way to the programs for another user"
disk() {
	cp -a "$1" "$W/moved" && truncate -s 32M "$1.img" && mkfs.ext4 -q -m 0 "$1.img" 2>"$W/why" &&
	    mount -t ext4 -o loop "$1.img" "$1" 2>"$W/why" && MOUNTS+=("$1") && rmdir "$1/lost+found" &&
	    chown --reference="$W/moved" "$1" && chmod --reference="$W/moved" "$1" && cp -a "$W/moved/." "$1/" && rm -rf "$W/moved"
}
MOUNTS=()
unmount() {
	local m
	for m in "${MOUNTS[@]}"; do umount "$m" || umount -l "$m"; done
	MOUNTS=()
}
trap 'for p in "${PIDS[@]}"; do kill "$p"; wait "$p"; done 2>/dev/null; unmount; leave' EXIT
mkdir "$W/try"
disk "$W/try" || skip_all "no loop device can be mounted here: $(tail -n 1 "$W/why")"

# All that is done by the daemon's user, and what is his.
disks_owner() { chown -R "$DAEMON_UID:$DAEMON_UID" "$R" && chmod 755 "$R"; }
room_once() { timeout 120 "${AS[@]}" "$BIN/sealroomd" --conf "$R/sealroom.conf" --once "$@" >>"$LOG" 2>&1 </dev/null; }
room_start() {
	"${AS[@]}" "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
}
cmd() { "${AS[@]}" "$BIN/sealroom" --conf "$R/sealroom.conf" "$@"; }
drop() { "${AS[@]}" cp "$1" "$R/in/.part" && mv "$R/in/.part" "$R/in/$(basename "$1")"; }
disks_room
disks_run
finish
