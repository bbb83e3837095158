#!/bin/bash
# limit: 300
# A clock that is set, while the daemon runs and between two runs: it is noticed and on
# record, and no seal is made with it that the time-stamping authority contradicts.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/clockstep.so
[ -z "${SEALROOM_ASAN-}" ] || skip_all "sanitizers want to be loaded first"
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
TSA_EXTRA='timeout = "2s"; skew = "60s";'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
tsa_start
export CLOCK_STEP=$R/step
step() { echo "$1" >"$R/step.new" && mv "$R/step.new" "$R/step"; }
start() { # the daemon alone sees the other clock
	LD_PRELOAD=$BIN/tests/clockstep.so "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
}
entries() { "$TOOLS/logread" "$R/archive" 2>/dev/null; }
noted() { entries | grep -c "^text the clock was set $1 "; }
has_noted() { [ "$(noted "$1")" = "$2" ]; }
jobs_done() { entries | grep -c '^type job$'; }
done_is() { [ "$(jobs_done)" = "$1" ]; }
waits() { cmd status | grep -q "$1"; }
letter() { "$TOOLS/small-scan" "LETTER $1" "$W/$1.tif" && drop "$W/$1.tif"; }

step 0
start
letter A
wait_for 60 done_is 1
ok $? "with a right clock a letter is sealed" || daemon_said

step 7200
wait_for 30 has_noted forward 1
ok $? "two hours forward: noticed, and in the log" || daemon_said
letter B
wait_for 60 waits 'tsa-answer-refused'
ok $? "the next letter is taken in and waits: the authority says another time" || daemon_said
is "$(find "$R/state/spool" -name attempt | wc -l)" 0 "the token was not asked"
step -86400
wait_for 30 has_noted back 1
ok $? "a day back: noticed" || daemon_said
is "$(jobs_done)" 1 "still nothing is sealed"
step 0
wait_for 120 done_is 2
ok $? "set right again, it goes on by itself" || daemon_said
grep -q 'a time stamp has confirmed the clock' "$LOG"
ok $? "because a time stamp has confirmed it"
is "$(entries | grep -c '^type orphan$')" 0 "without a signature too many"
room_stop

step -315360000
start
letter C
wait_for 60 waits 'tsa-answer-refused'
ok $? "ten years back between two runs: the letter waits" || daemon_said
is "$(entries | grep -c '^text the clock is [0-9.]* s behind the last entry')" 1 "and the log has a note"
room_stop
step 0
start
wait_for 120 done_is 3
ok $? "with a right clock it is sealed" || daemon_said
room_stop
# One year is all the day's directories may be of: that of the room's clock, and of what was received in doubt.
is "$(find "$R/archive" -mindepth 1 -maxdepth 1 -name '[0-9]*' | grep -cvE '/[0-9]{4}$')" 0 "the archive's days have four digits"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "all is proven" || note "$(tail -n 5 "$W/audit")"
for f in "$R/in/$DONE"/*.pdf; do judge_ts "$f" || bail "the time stamp of $f"; done
is "$(find "$R/in/$DONE" -name '*.pdf' | wc -l)" 3 "each has its time stamp"
finish
