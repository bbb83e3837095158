#!/bin/bash
# limit: 1300
# alone
# Before every durable call of one job the tree dies, and every one of them fails;
# after a restart the invariants hold (I1-I12, I14-I16).
#
# Calls that change nothing in an undisturbed run (a directory that is there, a
# left-over that is not) are no durable calls.  Nor can death tell writes to a file
# without a name apart: nobody sees it again.
# A call is found again by what it is (tracer -a -s), not by its number: what runs
# beside it moves the numbers.  A call that did not come is tried again, at last alone.
# How often a checkpoint is signed is a matter of time, so one call of publishing
# may stay away; no other may.
# SWEEP=sample takes every ninth call (make asan), SWEEP=every-N every N-th, SWEEP=K one.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
SCAN_EXTRA='workers = 1;'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
[ -n "${SEALROOM_ASAN-}" ] || p11fault_settings
room_settings
tsa_start
ONCE_MAX=90

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
hit() { sed -n "s/^$1 //p" "$R/result" 2>/dev/null; }
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
awk -F'\t' '$5 >= 0 { print $1 }' "$R/calls" >"$W/error.k"
awk -F'\t' '$5 >= 0 && !(/:unnamed/ || ($4 ~ /write/ && $6 ~ /\(deleted\)$/)) { print $1 }' "$R/calls" >"$W/before.k"
awk -F'\t' '$4 !~ /^(f?sync|fdatasync|syncfs|f?chmod.*|fchown|f?truncate|unlink.*|rmdir)$/ { print $1 }' "$R/calls" >"$W/full.k"
cp "$R/calls" "$W/calls"
note "of these fail $(wc -l <"$W/error.k"), and $(wc -l <"$W/before.k") are died before"

# Each start of the token's process signs to prove itself; what comes beyond that is
# for jobs.  Starts are told apart by their login.
signatures() {
	awk -v own="$1" '/^C_Login 0x0$/ { if (n > own) sum += n - own; n = 0 } /^C_Sign 0x0$/ { n++ } END { print sum + (n > own ? n - own : 0) }' \
	    "$R/p11.log"
}
job_signatures() { [ ! -s "$R/p11.log" ] || signatures "$own_signatures"; }
if [ -s "$R/p11.log" ]; then
	own_signatures=$(awk '/^C_Sign 0x0$/ { n++ } END { print n + 0 }' "$W/t/p11.log")
	: >"$W/t/p11.log"
	is "$(R=$W/count job_signatures)" 1 "one job, one signature"
fi

# One fault, one restart, all checks; prints nothing or what is wrong.
trial() { # k mode errno
	local k=$1 mode=$2 name=$1$2 call shape nth rc
	copy t "$name" && at "$W/$name"
	IFS=$'\t' read -r call shape nth < <(awk -F'\t' -v k="$k" '$1 == k { sub(/:.*/, "", $4); print $4 FS $8 FS $9 }' "$W/calls")
	traced -m "$mode" -a "$call" -s "$shape" -k "$nth" ${3:+-e "$3"}
	rc=$?
	[ $rc != 124 ] || echo "I8 the run did not come to an end in $ONCE_MAX s"
	rm -f "$W/missed.$k.$mode"
	[ $rc = 124 ] || [ "$(hit hit)" = 1 ] || echo "$k $mode ${3-}	$call $shape" >"$W/missed.$k.$mode"
	[ "$mode" = before ] || [ $rc -lt 125 ] || echo "ended with status $rc"
	"$TOOLS/logread" "$R/archive" >"$R/before" 2>/dev/null || : >"$R/before"
	# SoftHSM's own files are torn when it dies writing them; no token is
	rm -rf "$R/pki/softhsm/tokens" && cp -a "$W/t/pki/softhsm/tokens" "$R/pki/softhsm/"
	# death in the middle of a login: nobody knows its outcome, so a person must say go on
	[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
	room_once --wait 30
	rc=$?
	[ $rc = 0 ] || echo "I8 the restart ended with status $rc"
	SIGN_CALLS=$(job_signatures) "$TOP/tests/fault/check" "$R" "$W/sender" "$R/before" 2>&1
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
case ${SWEEP-} in
'') pick=1 ;;
sample) pick=9 ;;
every-*) pick=${SWEEP#every-} ;;
*) pick=1 && echo "$SWEEP" | tee "$W/error.k" >"$W/before.k" ;;
esac
for mode in before error; do awk -v n="$pick" 'NR % n == 1 || n == 1' "$W/$mode.k" >"$W/$mode.do"; done
# A trial mostly waits: for quiet, for the disk, for retries.
jobs_n=$(($(nproc) * 2))
[ $jobs_n -le 8 ] || jobs_n=8
trials() { # lines "K MODE [ERRNO]", this many at once
	local k mode errno
	while read -r k mode errno; do
		while [ "$(jobs -rp | wc -l)" -gt "$1" ]; do wait -n; done # one of them is the TSA
		report "$k" "$mode" $errno &
	done
	for k in $(jobs -rp); do [ "$k" = "$TSA_PID" ] || wait "$k"; done
}
missed() { find "$W" -maxdepth 1 -name 'missed.*' -exec cat {} + | sort -n; }
for mode in before error; do sed "s/$/ $mode/" "$W/$mode.do"; done | sort -n | while read -r k mode; do
	errno=
	[ "$mode" = before ] || errno=EIO
	if [ "$mode" = error ] && [ $((k % 2)) = 0 ] && grep -qx "$k" "$W/full.k"; then errno=ENOSPC; fi
	echo "$k $mode $errno"
done >"$W/trials"
trials $jobs_n <"$W/trials"
for again in $jobs_n 1; do
	missed >"$W/missed"
	[ ! -s "$W/missed" ] || note "tried again, for the call did not come:" "$(cat "$W/missed")"
	cut -f1 "$W/missed" >"$W/trials"
	trials $again <"$W/trials"
done

while read -r k mode; do
	out=$W/out.$k.$mode
	what="killed before call $k"
	[ "$mode" = before ] || what="call $k fails"
	[ -e "$out" ] && [ ! -s "$out" ]
	ok $? "$what: after a restart all holds" || note "$(cat "$out")"
done < <(for mode in before error; do sed "s/$/ $mode/" "$W/$mode.do"; done | sort -n)
missed >"$W/missed"
! grep -vE '\t[^ ]+ (3/evidence/(log|checkpoints)/|4/)' "$W/missed"
ok $? "every call of the undisturbed run came, but of publishing" || note "$(cat "$W/missed")"
[ $(($(wc -l <"$W/missed") * 50)) -le "$(cat "$W"/*.do | wc -l)" ] || [ "$(wc -l <"$W/missed")" -le 1 ]
ok $? "and of publishing all but $(wc -l <"$W/missed")" || note "$(cat "$W/missed")"
finish
