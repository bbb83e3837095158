#!/bin/bash
# limit: 300
# A disk that is full stops the work, loses nothing, rejects nothing, and the work
# goes on by itself.  Where mounting is not allowed the tracer answers ENOSPC.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom tests/tracer
room_new
LEVEL=B-B
room_settings
room_once # log and archive are made
is $? 0 "an empty room comes to rest" || daemon_said
mkdir "$W/sender"
cp "$SCANS/de-schief.tif" "$W/sender/a.tif"

# Full from the k-th call on, wherever that is; then there is space again.
for k in 1 10 25 40 55 70 85 100 120; do
	printf '%04d' $k >>"$W/sender/a.tif"
	rm -rf "$W/copy" && cp -a "$R" "$W/copy"
	cp "$W/sender/a.tif" "$R/in/.a.part" && mv "$R/in/.a.part" "$R/in/a.tif"
	TRACE=("$BIN/tests/tracer" -r "$R/state" -r "$R/archive" -r "$R/in" -r "$R/anchor" -m error -e ENOSPC -k "$k" -n 0 -o "$W/result" --)
	room_once --wait 1
	rc=$?
	TRACE=()
	hit=$(sed -n 's/^hit //p' "$W/result")
	[ "$hit" = 0 ] || [ $rc != 0 ]
	ok $? "full from call $k on: the daemon does not say that all is done (status $rc)"
	# a login whose mark could not be taken back looks like one that broke off
	[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
	room_once
	is $? 0 "with space again, the work is finished" || daemon_said
	"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
	is $? 0 "nothing lost, nothing rejected" || note "$(cat "$W/check")"
	rm -rf "$R" && mv "$W/copy" "$R"
done

# Full for three of its calls: the same run goes on by itself.
for k in 40 70 100; do
	printf '%04d' $k >>"$W/sender/a.tif"
	rm -rf "$W/copy" && cp -a "$R" "$W/copy"
	drop "$W/sender/a.tif"
	TRACE=("$BIN/tests/tracer" -r "$R/state" -r "$R/archive" -r "$R/in" -r "$R/anchor" -m error -e ENOSPC -k "$k" -n 3 -o "$W/result" --)
	room_once
	is "$? $(sed -n 's/^hit //p' "$W/result")" "0 1" "full for three calls from call $k on: the daemon waits, and finishes the work" || daemon_said
	TRACE=()
	"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
	is $? 0 "nothing lost, nothing rejected" || note "$(cat "$W/check")"
	rm -rf "$R" && mv "$W/copy" "$R"
done

# The floor: claiming stops before the disk is full, and says so.
EXTRA='space_floor = "1000GiB";'
room_settings
drop "$W/sender/a.tif"
room_once --wait 1
is "$? $(find "$R/in" -maxdepth 1 -name a.tif | wc -l)" "75 1" "below the floor nothing is claimed"
grep -qiE 'space' "$LOG"
ok $? "and the daemon says why"
EXTRA=''
room_settings
room_once
is "$? $(find "$R/in/$DONE" -name 'a*.pdf' | wc -l)" "0 1" "with space again it is" || daemon_said
finish
