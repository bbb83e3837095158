#!/bin/bash
# The processes as they run: no privileges, a filter, no core dumps, no descriptor
# that is not theirs; and the daemon refuses to be root.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
room_settings
room_start
drop "$SCANS/de-schief.tif"
wait_for 60 test -s "$R/in/$DONE/de-schief.pdf"
ok $? "a letter is sealed" || daemon_said

field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }
kids() { local p; for p in $(pgrep -P "$1"); do echo "$p"; kids "$p"; done; }
seen=
for p in $(kids "$ROOM_PID"); do
	name=$(cat "/proc/$p/comm" 2>/dev/null) || continue
	seen="$seen $name"
	if [ -z "${SEALROOM_ASAN-}" ]; then
		is "$(field "$p" Seccomp)" 2 "$name runs behind a system call filter"
	fi
	is "$(field "$p" NoNewPrivs)" 1 "$name can not gain privileges"
	is "$(field "$p" CapPrm) $(field "$p" CapEff) $(field "$p" CapAmb)" "0000000000000000 0000000000000000 0000000000000000" \
	    "$name has no capability"
	is "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$p/limits")" "0 0" "$name leaves no core dump"
	! cat "/proc/$p/environ" >/dev/null 2>&1
	ok $? "$name hides its memory from others of its user"
	is "$(field "$p" Threads)" 1 "$name has one thread"
	is "$(tr '\0' ' ' <"/proc/$p/cmdline" | grep -c 48291736)" 0 "$name shows no PIN in its arguments"
done
for name in sealroom-scan sealroom-seal sealroom-verify sealroom-fetch; do
	case $seen in *$(echo "$name" | cut -c1-15)*) true ;; *) false ;; esac
	ok $? "$name was among them"
done
! cat "/proc/$ROOM_PID/environ" >/dev/null 2>&1
ok $? "the core hides its memory too"
is "$(field "$ROOM_PID" NoNewPrivs)" 1 "the core can not gain privileges"
is "$(stat -c %a "$R/state")" 700 "the state is for its user alone"
is "$(find "$R/state" -perm /077 ! -type l ! -type s | head -n 3)" "" "and so is all in it"
is "$(find "$R"/archive/20* "$R/archive/evidence" -perm /007 ! -type l | head -n 3)" "" "strangers see nothing of the archive"
room_stop
is $? 0 "the daemon ends when told to"
grep -rqsF 48291736 "$LOG" "$R/state" "$R/archive" "$R/anchor"
is $? 1 "the PIN stands nowhere"

if unshare -r true 2>/dev/null; then
	unshare -r "$BIN/sealroomd" --conf "$R/sealroom.conf" --once >"$W/root" 2>&1
	rc=$?
	[ $rc != 0 ] && grep -qi root "$W/root"
	ok $? "the daemon refuses to run as root (status $rc)" || note "$(cat "$W/root")"
else
	skip "the daemon refuses to run as root" "no user namespaces here, and this test is not root"
fi
finish
