#!/bin/bash
# limit: 1300
# alone
# Every durable call of one job is the last before the tree dies, and every one of
# them fails; after a restart the invariants hold (I1-I12, I14-I16).
#
# SWEEP=sample takes every ninth call (make asan); SWEEP=K one call alone, verbose.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer
room_new
SETTLE=50ms
SCAN_EXTRA='workers = 1;'
[ -n "${SEALROOM_ASAN-}" ] || p11fault_settings
room_settings
tsa_start
ONCE_MAX=60

mkdir "$W/sender"
"$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$W/sender/letter.tif"
room_once
is $? 0 "an empty room comes to rest" || daemon_said
cp "$W/sender/letter.tif" "$R/in/"

# at ROOM: settings, token and environment for that copy of the room.
at() {
	R=$1
	LOG=$R/daemon.log
	find "$R/sealroom.conf" "$R/pki/env" "$R/pki/token" "$R/pki/softhsm/softhsm2.conf" -exec sed -i "s#$W/[a-z0-9.]*/#$R/#g" {} +
	export SOFTHSM2_CONF=$R/pki/softhsm/softhsm2.conf
	[ -n "${SEALROOM_ASAN-}" ] || export P11FAULT_CTL=$R/pki/softhsm/p11.ctl P11FAULT_LOG=$R/p11.log
}
traced() { # tracer's options...
	TRACE=("$BIN/tests/tracer" -r "$R/in" -r "$R/state" -r "$R/archive" -r "$R/anchor" -o "$R/result" "$@" --)
	room_once --wait 5
	local rc=$?
	TRACE=()
	return $rc
}
hit() { sed -n "s/^$1 //p" "$R/result"; }
copy() { cp -a --reflink=auto "$W/$1" "$W/$2"; }
cp -a "$R" "$W/t" # the template; the authority goes on living in the first room

# One undisturbed run: how many calls there are, and their order.
copy t count && at "$W/count"
traced -l "$R/calls"
is $? 0 "the job passes under the tracer" || daemon_said
total=$(hit calls)
note "durable calls of one job: $total"
"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check"
is $? 0 "the invariants hold undisturbed" || note "$(cat "$W/check")"
"$TOP/tests/fault/order" "$R/calls" "$R" >"$W/order"
is $? 0 "I14: the sender's file goes only when archive and log are on disk" || note "$(cat "$W/order")"
# The same log with its syncs taken out must not pass.
grep -vP '\t(fsync|fdatasync)\t' "$R/calls" >"$W/nosync"
! "$TOP/tests/fault/order" "$W/nosync" "$R" >/dev/null
ok $? "I14 would notice missing syncs"
[ "${total:-0}" -gt 60 ] || bail "the tracer sees the job's calls"

# One fault, one restart, all checks; prints nothing or what is wrong.
trial() { # k mode errno
	local k=$1 mode=$2 name=$1$2 rc
	copy t "$name" && at "$W/$name"
	traced -m "$mode" -k "$k" ${3:+-e "$3"}
	rc=$?
	[ "$(hit hit)" = 1 ] || echo "call $k did not come"
	[ "$mode" = before ] || [ $rc = 0 ] || [ $rc -ge 64 ] || echo "ended with status $rc"
	"$TOOLS/logread" "$R/archive" >"$R/before" 2>/dev/null || : >"$R/before"
	room_once
	rc=$?
	[ $rc = 0 ] || echo "I8 the restart ended with status $rc"
	SIGN_CALLS=$(grep -cs '^C_Sign 0x0$' "$R/p11.log") \
	    "$TOP/tests/fault/check" "$R" "$W/sender" "$R/before" 2>&1
	cmd audit "$R/archive" >"$R/audit" 2>&1 || { echo "I12 audit: $?"; tail -n 3 "$R/audit"; }
	if [ $((k % 7)) = 0 ]; then
		tree >"$R.tree"
		room_once
		tree | diff "$R.tree" - >"$R.diff" || { echo "I15 a second start changed files"; head -n 5 "$R.diff"; }
		rm -f "$R.tree" "$R.diff"
	fi
}
# Everything but what start and stop entries change.
tree() {
	(cd "$R" && find in state archive -type f ! -path '*/evidence/*' ! -path '*/events/*' ! -path '*/tsa/*' -exec sha256sum {} + | sort -k 2)
}
report() { # k mode errno: into $W/out.K.MODE
	local out=$W/out.$1.$2
	(trial "$@") >"$out" 2>&1
	if [ -s "$out" ]; then
		{ echo "call: $(sed -n 's/^call //p' "$W/$1$2/result") ${3-}"; tail -n 25 "$W/$1$2/daemon.log"; } >>"$out"
	fi
	rm -rf "${W:?}/$1$2"
}
step=1 from=1 to=$total
case ${SWEEP-} in
sample) step=9 ;;
[0-9]*) from=$SWEEP to=$SWEEP ;;
esac
jobs_n=$(nproc)
[ "$jobs_n" -le 2 ] || jobs_n=2
for ((k = from; k <= to; k += step)); do
	for mode in before error; do
		errno=
		[ $mode = before ] || { [ $((k % 2)) = 0 ] && errno=ENOSPC || errno=EIO; }
		while [ "$(jobs -rp | wc -l)" -gt $jobs_n ]; do wait -n; done # one of them is the TSA
		report "$k" $mode $errno &
	done
done
for p in $(jobs -rp); do [ "$p" = "$TSA_PID" ] || wait "$p"; done

for ((k = from; k <= to; k += step)); do
	for mode in before error; do
		out=$W/out.$k.$mode
		what="killed before call $k"
		[ $mode = before ] || what="call $k fails"
		[ -e "$out" ] && [ ! -s "$out" ]
		ok $? "$what: after a restart all holds" || note "$(cat "$out")"
	done
done
finish
