#!/bin/bash
# limit: 14400
# alone
# Many documents while processes die at random and the token is pulled: every document
# comes back once, and the core neither grows nor keeps descriptors.
# SOAK=N documents (24), SOAK_SEED=N another run of luck.  First the core itself dies too;
# what it needs is measured behind that, over one life.
. "$(dirname "$0")/../lib.sh"
[ -z "${SEALROOM_ASAN-}" ] || skip_all "a build with sanitizers takes no module but SoftHSM's"
need python3 softhsm2-util
need_program sealroomd sealroom tests/tracer
N=${SOAK:-24} SEED=${SOAK_SEED:-1}
RANDOM=$SEED
note "documents $N, seed $SEED"
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
p11fault_settings
room_settings
TSA_SECONDS=$((1800 + N * 10))
tsa_start
mkdir "$W/sender"
"$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$W/letter.tif"
cp -a "$R/pki/softhsm/tokens" "$W/tokens"

descendants() {
	local p
	for p in $(pgrep -P "$1"); do echo "$p"; descendants "$p"; done
}
named() { # program
	local p
	for p in $(descendants "$CORE"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != "${1:0:15}" ] || echo "$p"
	done
}
given_back() { find "$R/in/$DONE" -name '*.pdf' 2>/dev/null | wc -l; }
waits() { find "$R/in" -maxdepth 1 -name '*.tif' | wc -l; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$CORE/status"; }
descriptors() { find "/proc/$CORE/fd" -mindepth 1 2>/dev/null | wc -l; }
# Beneath the tracer, which looks at nothing here: so its descriptors can be counted.
core_starts() {
	"$BIN/tests/tracer" -r "$W/sender" -- "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
	wait_for 20 pgrep -P "$ROOM_PID" || bail "the daemon starts"
	CORE=$(pgrep -P "$ROOM_PID" | head -n 1)
}
deaths=0
core_dies() {
	kill -KILL "$CORE"
	wait "$ROOM_PID" 2>/dev/null # with all that descends from it
	token_whole
	core_starts
}
# SoftHSM's own files are torn when it dies writing them; no token is.
token_whole() { rm -rf "$R/pki/softhsm/tokens" && cp -a "$W/tokens" "$R/pki/softhsm/"; }
# Death in the middle of a login: nobody knows its outcome, so a person must say go on.
token_cleared() {
	[ ! -s "$R/state/tokens/soft" ] && return
	sleep 2
	[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
}
something_dies() { # only children, when an argument is given
	local what=$((deaths % 6)) programs=(sealroom-scan sealroom-verify sealroom-fetch sealroom-seal) pids
	deaths=$((deaths + 1))
	if [ $what -ge 4 ] && [ -z "${1-}" ]; then
		core_dies
		return
	fi
	mapfile -t pids < <(named "${programs[$((what % 4))]}")
	[ ${#pids[@]} -gt 0 ] || return
	kill -KILL "${pids[$((RANDOM % ${#pids[@]}))]}" 2>/dev/null
	[ $((what % 4)) != 3 ] || token_whole
}

few_open() { [ "$(descriptors)" -le $((fds0 + 2)) ]; }
core_starts
calm=$((N * 3 / 5)) pull=$((N / 3)) rss0=0 fds0=0
# The core keeps its last 256 events and a tile's worth of entries: many documents are
# measured behind those, two thousand over the second half of them.
warm=$calm
[ "$N" -lt 450 ] || calm=$((N - 400)) warm=$((N - 140))
[ "$N" -lt 1000 ] || calm=$((N / 2 - 300)) warm=$((N / 2))
settle_down() { wait_for $((120 + N)) all_back; }
all_back() { token_cleared; [ "$(given_back)" = "$sent" ] && [ "$(waits)" = 0 ]; }
few_open_jobs() { token_cleared; [ $((sent - $(given_back))) -lt 12 ]; }
for sent in $(seq "$N"); do
	cp "$W/letter.tif" "$W/sender/l$sent.tif" && printf '%08d' "$sent" >>"$W/sender/l$sent.tif"
	drop "$W/sender/l$sent.tif"
	[ "$sent" != "$pull" ] || echo removed=1 >"$P11FAULT_CTL"
	[ "$sent" != $((pull + 4)) ] || : >"$P11FAULT_CTL"
	if [ $((RANDOM % 4)) = 0 ] || [ $((sent % 6)) = 0 ]; then
		sleep "0.$((RANDOM % 10))"
		if [ "$sent" -lt $calm ]; then something_dies; elif [ "$sent" -lt $((N - 4)) ]; then something_dies child; fi
	fi
	wait_for 60 few_open_jobs || note "document $sent: $(given_back) came back so far"
	[ $((sent % 100)) != 0 ] || note "document $sent: the core has $(rss) KiB, $(descriptors) descriptors"
	if [ "$sent" = $warm ]; then
		settle_down
		rss0=$(rss) fds0=$(descriptors)
	fi
done
settle_down
ok $? "all $N documents came back, $deaths deaths and a pulled token later" || daemon_said
rss1=$(rss)
[ "$rss0" -gt 0 ] && [ $((rss1 - rss0)) -le 1024 ]
ok $? "the core has not grown: $rss0 KiB, then $rss1 KiB"
# children come and go with what is to do: a few more or less are no leak
wait_for 20 few_open
[ "$fds0" -gt 10 ] && [ "$(descriptors)" -le $((fds0 + 2)) ]
ok $? "nor does it keep descriptors: $fds0, then $(descriptors)"
kill -TERM "$CORE"
wait "$ROOM_PID"
is $? 0 "the daemon ends when told to"
own=$(awk '/^C_Login 0x0$/ { n++ } END { print n + 0 }' "$P11FAULT_LOG")
SIGN_CALLS=$(($(grep -c '^C_Sign 0x0$' "$P11FAULT_LOG") - own)) "$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check" 2>&1
is $? 0 "nothing lost, nothing twice, nothing unrecorded" || note "$(cat "$W/check")"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive is proven" || note "$(tail -n 5 "$W/audit")"
finish
