# shellcheck shell=bash disable=SC2034
# disks.bash - disks that fill up while a letter comes in, each a small one of its own.
#
# Sourced behind tests/lib.sh by who has a disk(), which moves what lies in a
# directory to a disk of its own that is mounted there:
#
#	disks_room        a room whose directories $DISKS lie on such disks
#	disks_restarted   full, or nearly; with space again a new start finishes the work
#	disks_run         the same with one daemon that goes on running
DISKS="in state archive anchor"
disks_n=0
disks_room() {
	local d
	room_new
	LEVEL=B-B
	SETTLE=50ms
	SCAN_LANGUAGES='"eng"'
	RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
	EXTRA='space_floor = "1KiB";'
	room_settings
	disks_owner
	room_once
	is $? 0 "an empty room comes to rest" || daemon_said
	for d in $DISKS; do disk "$R/$d" || skip_all "a file system can not be mounted here"; done
	room_once
	is $? 0 "and on four small disks" || daemon_said
	mkdir "$W/sender"
	"$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$W/letter.tif"
}
disks_owner() { :; } # of all that is in the room; it is ours

# All but so many KiB of a disk are taken.
fill() { # directory KiB
	local free
	free=$(($(stat -f -c '%a * %S' "$1") / 1024))
	[ "$free" -le "$2" ] || fallocate -l $(((free - $2) * 1024)) "$1/.filler"
	[ "$2" != 0 ] || cat /dev/zero >>"$1/.filler" 2>/dev/null # what fallocate needed for itself
}
next_letter() { # $letter: another one
	disks_n=$((disks_n + 1))
	letter=l$disks_n
	cp "$W/letter.tif" "$W/sender/$letter.tif" && printf '%04d' $disks_n >>"$W/sender/$letter.tif"
	drop "$W/sender/$letter.tif"
}
is_done() { [ -n "$(find "$R/in/$DONE" -name "$letter.pdf")" ]; }
nothing_lost() {
	"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
	is $? 0 "nothing lost, nothing rejected" || note "$(cat "$W/check")"
}
disks_restarted() {
	local d left rc
	for d in $DISKS; do
		for left in 0 12 80; do
			next_letter
			fill "$R/$d" $left
			room_once --wait 1
			rc=$?
			[ $rc -lt 124 ] && { [ $rc != 0 ] || is_done; }
			ok $? "$left KiB left of $d: nothing is said to be done that is not (status $rc)" || daemon_said
			rm -f "$R/$d/.filler"
			[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
			room_once
			is $? 0 "with space again, the work is finished" || daemon_said
			nothing_lost
		done
	done
}
disks_run() {
	local d left
	room_start
	wait_for 60 test -S "$R/control"
	for d in $DISKS; do
		for left in 0 12; do
			next_letter
			fill "$R/$d" $left
			wait_for 3 is_done && note "$left KiB left of $d were enough"
			rm -f "$R/$d/.filler"
			wait_for 60 is_done && kill -0 "$ROOM_PID"
			ok $? "$left KiB left of $d, then space: the same daemon goes on by itself" || daemon_said
		done
	done
	wait_for 30 test -z "$(find "$R"/state/spool/*/ -mindepth 1 -maxdepth 1)"
	room_stop
	is $? 0 "it ends when it is told to, and not before" || daemon_said
	nothing_lost
	cmd audit "$R/archive" >"$W/audit" 2>&1
	is $? 0 "the archive is proven" || note "$(tail -n 5 "$W/audit")"
}
