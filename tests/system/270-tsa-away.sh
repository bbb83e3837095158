#!/bin/bash
# limit: 400
# The time-stamping authority is away for a day, and so that nobody waits for it, the
# day passes for sealroomd alone.  Letters are taken in and signed as far as max_jobs
# goes, tried again less and less often, told of once; then all are finished, and none
# is signed twice.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/clockstep.so
[ -z "${SEALROOM_ASAN-}" ] || skip_all "sanitizers want to be loaded first"
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
TSA_EXTRA='timeout = "2s"; skew = "5min";'
EXTRA="max_jobs = 4; tsa_max_wait = \"30min\"; metrics = \"$R/metrics.prom\";"
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
p11fault_settings
tsa_start
export CLOCK_PASS=$R/pass
passed=0
pass() { # SECONDS
	passed=$((passed + $1))
	echo "$passed" >"$R/pass.new" && mv "$R/pass.new" "$R/pass"
}
start() {
	LD_PRELOAD=$BIN/tests/clockstep.so "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
	wait_for 30 test -S "$R/control"
}
letter() { "$TOOLS/small-scan" "LETTER $1" "$W/$1.tif" && drop "$W/$1.tif"; }
signed() { find "$R/state/spool/signed" -name sig 2>/dev/null | wc -l; }
is_signed() { [ "$(signed)" = "$1" ]; }
PORT=${TSA_URL#*://*:} PORT=${PORT%%/*}
asked() { # times that the authority was asked
	exec 9<>"/dev/tcp/127.0.0.1/$PORT" 2>/dev/null || return
	printf 'GET /stats HTTP/1.0\r\n\r\n' >&9
	sed -n 's/.*"tsa": *\([0-9]*\).*/\1/p' <&9
	exec 9>&-
}
asked_is() { [ "$(asked)" -ge "$1" ]; }
signatures() { grep -c '^C_Sign 0x0$' "$R/p11.log"; }
status_has() { cmd --json status | python3 -c "import json, sys
s = json.load(sys.stdin)
sys.exit(not ($1))"; }
alarms() { find "$R/state/events/new" -name "*-$1-[0-9]*.json" -exec grep -l '"tsa-away"' {} + 2>/dev/null | wc -l; }
# All four are tried again; a little later, where the leap cut a question short.
an_hour() {
	local before
	sleep 0.5
	before=$(asked)
	pass 3600
	wait_for 5 asked_is $((before + 4)) && return
	pass 90
	wait_for 20 asked_is $((before + 4))
}

pass 0
tsa_fault tsa=down >/dev/null
start
wait_for 60 status_has 'all(t["ready"] for t in s["tokens"])'
own=$(signatures) # it signs to prove itself
for n in A B C; do letter $n; done
wait_for 90 is_signed 3
ok $? "letters are taken in, read and signed while the authority is away" || daemon_said
wait_for 30 status_has 'sum(j["state"] == "signed" and j.get("why") == "tsa-unreachable" for j in s["jobs"]) == 3'
ok $? "and wait for it, as status says" || note "$(cmd status 2>&1)"
letter D
wait_for 60 is_signed 4
letter E && letter F
sleep 2
is "$(signed) $(find "$R/state/spool/claimed" -mindepth 1 -maxdepth 1 | wc -l) $(find "$R/in" -maxdepth 1 -name '[EF].tif' | wc -l)" "4 0 2" \
    "as many as max_jobs says; the others stay in the folder"

# Half a day, an hour at a time.
is "$(alarms alarm)" 0 "nobody is alarmed for a short while"
for hour in 1 2 3 4 5 6 7 8 9 10 11 12; do
	an_hour || bail "hour $hour: all four are tried again ($(tail -n 3 "$LOG"))"
done
ok 0 "each is tried again, hour by hour"
wait_for 30 status_has 'any(a["alarm"] == "tsa-away" for a in s["alarms"])'
ok $? "after half an hour there is an alarm" || note "$(cmd status 2>&1)"
sleep 3 # what is under way comes to its end
for _ in 1 2; do
	before=$(asked)
	pass 52
	sleep 3
	is "$(($(asked) - before))" 0 "pauses have grown: nothing is tried within 52 s"
	pass 36
	wait_for 20 asked_is $((before + 4))
	ok $? "but no further: 36 s later all four were"
	sleep 3
	is "$(($(asked) - before))" 4 "each of them once"
done

# A new start in the middle of it.
first=$(cat "$R"/state/spool/signed/*/sig | sha256sum)
room_stop
is $? 0 "the daemon ends when told to"
rm -f "$R/control"
start
wait_for 60 status_has 'sum(j["state"] == "signed" and j.get("why") == "tsa-unreachable" for j in s["jobs"]) == 4'
ok $? "the next one finds them signed, and waits on" || note "$(cmd status 2>&1)"
wait_for 60 status_has 'all(t["ready"] for t in s["tokens"])'
for hour in 13 14 15 16 17 18 19 20 21 22 23 24; do
	an_hour || bail "hour $hour: all four are tried again ($(tail -n 3 "$LOG"))"
done
is "$(cat "$R"/state/spool/signed/*/sig | sha256sum)" "$first" "after a day the signatures are those of the first hour"
is "$(($(signatures) - 2 * own))" 4 "the token was asked once for each"
is "$(alarms alarm) $(alarms alarm-end)" "1 0" "there was one alarm, over the restart"
like "$(cat "$R/metrics.prom")" '^sealroom_tsa_up\{.*\} 0$' "the metrics say that it is away"

# It is back, and its clock says the same day as ours.
tsa_fault "tsa=skew:$passed" >/dev/null
pass 80
wait_for 120 sh -c "[ \$(ls '$R/in/$DONE' | grep -c 'pdf\$') = 6 ]"
ok $? "it is back: all are finished, and those that stayed in the folder, too" || daemon_said
wait_for 30 status_has 'not any(a["alarm"] == "tsa-away" for a in s["alarms"])'
wait_for 30 sh -c "[ -n \"\$(find '$R/state/events/new' -name '*-alarm-end-*')\" ]"
is "$(alarms alarm) $(alarms alarm-end)" "1 1" "the alarm ends, once"
is "$(($(signatures) - 2 * own))" 6 "six letters, six signatures"
room_stop
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log") $(grep -c '^attempts 1$' "$W/log") $(grep -c '^type orphan$' "$W/log") $(grep -c '^type reject$' "$W/log")" "6 6 0 0" \
    "on record once each, with one attempt; nothing was refused for it"
for f in "$R/in/$DONE"/*.pdf; do judge_ts "$f" >/dev/null || echo "$f"; done >"$W/bad"
is "$(cat "$W/bad")" "" "each has its time-stamp"
is "$(grep -c 'the clock was set' "$LOG")" 0 "a day that passes is no clock that was set"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "all is proven" || note "$(tail -n 5 "$W/out")"
finish
