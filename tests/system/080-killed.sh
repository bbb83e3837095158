#!/bin/bash
# limit: 400
# Each process in turn dies by SIGKILL, or hangs, in the middle of work; no job is
# lost, none sealed twice, and only its own process suffers.
. "$(dirname "$0")/../lib.sh"
need python3 pdfsig softhsm2-util
need_program sealroomd
room_new
tsa_start
mkdir "$W/sender"

# Descendants of the daemon that run this program (COMM is 15 bytes).
children_of() {
	local p
	for p in $(pgrep -P "$1"); do echo "$p"; children_of "$p"; done
}
named() {
	local p
	for p in $(children_of "$ROOM_PID"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$(echo "$1" | cut -c1-15)" ] && echo "$p"
	done
}
all_gone() {
	local p
	for p; do ! grep -qs '^sealroom' "/proc/$p/comm" || return 1; done
}
n=0
deliver() {
	n=$((n + 1))
	# other bytes each time, so that each is a delivery of its own
	cp "$SCANS/de-schief.tif" "$W/sender/l$n.tif" && printf '%08d' $n >>"$W/sender/l$n.tif"
	drop "$W/sender/l$n.tif"
}
back() { wait_for 90 test -s "$R/in/$DONE/l$n.pdf"; }

room_start
deliver
back
ok $? "the daemon works" || daemon_said
for program in sealroom-scan sealroom-seal sealroom-verify sealroom-fetch; do
	deliver
	hit=0
	for i in $(seq 40); do
		for p in $(named $program); do kill -KILL "$p" 2>/dev/null && hit=1; done
		[ "$i" -ge 3 ] && [ $hit = 1 ] && break
		sleep 0.05
	done
	is $hit 1 "$program was there to be killed"
	back
	ok $? "with $program killed in the middle, the letter is sealed" || daemon_said
	kill -0 "$ROOM_PID" 2>/dev/null
	ok $? "and the daemon lives on"
done
# A reader that hangs.
deliver
sleep 0.4
for p in $(named sealroom-verify); do kill -STOP "$p" 2>/dev/null; done
back
ok $? "a hanging process is noticed and replaced" || daemon_said

# The core itself, at moments spread over a job.
for ms in 100 300 500 700 1000 1500; do
	deliver
	sleep "$(awk -v m=$ms 'BEGIN { print m / 1000 }')"
	kids=$(children_of "$ROOM_PID")
	kill -KILL "$ROOM_PID"
	wait "$ROOM_PID" 2>/dev/null
	# shellcheck disable=SC2086
	wait_for 10 all_gone $kids
	ok $? "no process outlives the core killed $ms ms into a job"
	room_start
	back
	ok $? "after a restart the letter is sealed" || daemon_said
done
wait_for 20 cmd status # the last letter may have been back before the last start
room_stop
is $? 0 "the daemon ends when told to"
"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
is $? 0 "nothing lost, nothing twice, nothing unrecorded" || note "$(cat "$W/check")"
finish
