#!/bin/bash
# limit: 240
# A folder that is a mount: gone and back again; and one whose file system tells nothing of writers (FUSE).
# All of it in a user namespace of its own, where an ordinary user may mount.
if [ -z "${MOUNTS_INSIDE-}" ]; then
	if ! why=$(unshare -Urm true 2>&1); then
		echo "1..0 # SKIP no user namespaces here: $why"
		exit 0
	fi
	exec env MOUNTS_INSIDE=1 unshare -Urmp --fork --kill-child "$0"
fi
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util bindfs
need_program sealroomd
mount -t proc proc /proc 2>/dev/null
room_new
LEVEL=B-B
INCOMPLETE=120s
# Nothing is sealed: seen from in here the token's module is not root's, and sealroom-seal refuses it.
RULES='all : { when = "always"; hold = { en = "A person looks at it."; }; };'
FOLDER_EXTRA='poll = "500ms";'
room_settings
# The daemon refuses to be root, even this one: its user is another in a namespace inside.
start() {
	unshare -U --map-user=1000 --map-group=1000 "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
	wait_for 60 test -S "$R/control"
}
said() { unshare -U --map-user=1000 --map-group=1000 "$BIN/sealroom" --conf "$R/sealroom.conf" "$@" 2>&1; }
scan() { "$TOOLS/small-scan" "$1" "$W/$2" && drop "$W/$2"; }
held() { [ -s "$R/in/$HELD/$1.tif.txt" ] && cmp -s "$W/$1.tif" "$R/in/$HELD/$1.tif"; }

# --- mounted, not mounted, mounted again ----------------------------------------------------
mkdir "$R/disk"
mount -t tmpfs disk "$R/disk" && mount -t tmpfs share "$R/in" || bail "this namespace can mount"
start
scan "ONE" one.tif
wait_for 60 held one
ok $? "a folder that is a mount of its own is served" || daemon_said
umount -l "$R/in"
gone() { said status | grep -q "NOT THERE: nothing is mounted there now"; }
wait_for 60 gone
ok $? "unmounted, the status says what is missing" || note "$(said status)"
like "$(cat "$LOG")" 'folder post: .*nothing is mounted there now.*nothing is taken from it' "and the journal"
scan "UNDER" under.tif
sleep 2
is "$(ls -A "$R/in")" under.tif "what lies below the mount is not ours: nothing is taken, nothing made"
mount -t tmpfs again "$R/in"
scan "TWO" two.tif
wait_for 60 held two
ok $? "mounted again it is taken up by itself" || daemon_said
like "$(cat "$LOG")" 'folder post is there again' "which is said, too"
kill -TERM "$ROOM_PID" && wait "$ROOM_PID"
umount -l "$R/in"
timeout 60 unshare -U --map-user=1000 --map-group=1000 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 1 >>"$LOG" 2>&1
is "$(ls -A "$R/in")" under.tif "nor is it after a start without the mount"
rm "$R/state/folders/post"
timeout 100 unshare -U --map-user=1000 --map-group=1000 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 40 >>"$LOG" 2>&1
held under
ok $? "until a person says that it is to be a plain directory" || daemon_said
mount --bind "$R/disk" "$R/in" || bail "a bind mount"
scan "THREE" three.tif
start
wait_for 60 held three
ok $? "something else mounted over it is the folder then" || daemon_said
mkdir "$W/other" && mount --bind "$W/other" "$R/in" || bail "a second bind mount"
scan "FOUR" four.tif
gone
wait_for 60 gone
ok $? "one of the outer file system is told from the one that was there" || daemon_said
umount "$R/in"
scan "FIVE" five.tif
wait_for 60 held five
ok $? "taken away, the other one is back" || daemon_said
kill -TERM "$ROOM_PID" && wait "$ROOM_PID"
is $? 0 "the daemon ends when told to"
umount "$R/in"

# --- FUSE ------------------------------------------------------------------------------------
mkdir "$W/far"
rm -rf "$R/in" && mkdir "$R/in"
[ -w /dev/fuse ] || mount --bind "${SEALROOM_FUSE:-/nowhere}" /dev/fuse 2>"$W/why"
bindfs -f "$W/far" "$R/in" 2>"$W/bindfs" &
PIDS+=("$!")
is_fuse() { [ "$(stat -f -c %t "$R/in")" = 65735546 ]; }
if ! wait_for 5 is_fuse; then
	skip "a folder on FUSE" "a FUSE file system can not be mounted here: $(cat "$W/why" "$W/bindfs" 2>/dev/null | tr '\n' ' ')"
	finish
fi
rm -rf "$R/state/folders"
SETTLE=1s FOLDER_EXTRA='poll = "500ms";' room_settings
: >"$LOG"
start
for i in 1 2; do "$TOOLS/small-scan" "FAR $i" "$W/far$i.tif"; done
# Behind its back, as a writer on another host: no event, no lease, only times.
"$TOOLS/sender" pages "$W/far1.tif" "$W/far" far1.tif &
sender=$!
"$TOOLS/sender" part "$W/far2.tif" "$R/in" far2.tif
wait "$sender"
far_done() { held far1 && held far2 && cmp -s "$W/far1.tif" "$W/far/$HELD/far1.tif"; }
wait_for 60 far_done
ok $? "documents come whole and go through FUSE" || { daemon_said; note "$(ls -lR "$W/far")"; }
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c "^source .*sha256:$(sha "$W/far1.tif")" "$W/log") $(grep -c "^source .*sha256:$(sha "$W/far2.tif")" "$W/log")" "1 1" "each once"
like "$(cat "$LOG")" 'folder post lies on FUSE: writers on other hosts cannot be seen; it is read every 0.5 s, and only quiet time \(settle, 1.0 s\) and structure' \
    "that writers cannot be seen is said in the journal"
like "$(said status)" 'post .* polled' "in the status"
like "$(said check)" 'folder post lies on FUSE: .*settle is 1.0 s: let it be longer than the longest pause' "and by check"
kill -TERM "$ROOM_PID" && wait "$ROOM_PID"
is $? 0 "the daemon ends when told to"
SETTLE=1s FOLDER_EXTRA='poll = "never";' room_settings
: >"$LOG"
start
scan "NEAR" near.tif
wait_for 60 held near
ok $? "a file system that the settings call local is trusted" || daemon_said
is "$(grep -c 'lies on FUSE' "$LOG")" 0 "as one"
kill -TERM "$ROOM_PID" && wait "$ROOM_PID"
umount -l "$R/in"
finish
