#!/bin/bash
# limit: 1300
# alone
# Before durable calls of one job the tree dies, and such calls fail;
# after a restart the invariants hold (I1-I12, I14-I16).
#
# Calls that change nothing in an undisturbed run (a directory that is there, a
# left-over that is not) are no durable calls.  Nor can death tell writes to a file
# without a name apart: nobody sees it again.
# A call is found again by what it is (tracer -a -s), not by its number: what runs
# beside it moves the numbers.  A call that did not come is tried again, at last alone.
# How often a checkpoint is signed is a matter of time, so one call of publishing
# may stay away; no other may.
# Here every fifth of either kind; make torture tries all, as does SWEEP=every-1.
# SWEEP=sample takes every ninth (make asan), SWEEP=K the one call.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/trial.bash"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer
room_template
undisturbed

"$TOP/tests/fault/order" "$W/calls" "$R" >"$W/order"
is $? 0 "I14: the sender's file goes only when archive and log are on disk" || note "$(cat "$W/order")"
# The same log with its syncs taken out must not pass.
grep -vP '\t(fsync|fdatasync)\t' "$W/calls" >"$W/nosync"
! "$TOP/tests/fault/order" "$W/nosync" "$R" >/dev/null
ok $? "I14 would notice missing syncs"
awk -F'\t' '$5 >= 0 { print $1 }' "$W/calls" >"$W/error.k"
awk -F'\t' '$5 >= 0 && !(/:unnamed/ || ($4 ~ /write/ && $6 ~ /\(deleted\)$/)) { print $1 }' "$W/calls" >"$W/before.k"
awk -F'\t' '$4 !~ /^(f?sync|fdatasync|syncfs|f?chmod.*|fchown|f?truncate|unlink.*|rmdir)$/ { print $1 }' "$W/calls" >"$W/full.k"
note "of these fail $(wc -l <"$W/error.k"), and $(wc -l <"$W/before.k") are died before"

case ${SWEEP-} in
'') pick=${PICK:-5} ;;
sample) pick=9 ;;
every-*) pick=${SWEEP#every-} ;;
*) pick=1 && echo "$SWEEP" | tee "$W/error.k" >"$W/before.k" ;;
esac
for mode in before error; do awk -v n="$pick" -v m=$mode 'NR % n == 1 || n == 1 { print $1, m }' "$W/$mode.k"; done | sort -n |
	while read -r k mode; do
		errno=
		[ "$mode" = before ] || errno=EIO
		if [ "$mode" = error ] && [ $((k % 2)) = 0 ] && grep -qx "$k" "$W/full.k"; then errno=ENOSPC; fi
		echo "$mode-$k $mode $k $errno"
	done >"$W/trials"
missed() { # lines of trials whose call did not come
	local name rest
	while read -r name rest; do
		[ ! -e "$W/$name.missed" ] || echo "$name $rest"
	done <"$W/trials"
}
together $together_n <"$W/trials"
for n in $together_n 1; do
	missed >"$W/missed"
	[ ! -s "$W/missed" ] || note "tried again, for the call did not come:" "$(cat "$W/missed")"
	together $n <"$W/missed"
done

while read -r name mode k errno; do
	what="killed before call $k"
	[ "$mode" = before ] || what="call $k fails"
	[ -e "$W/out.$name" ] && [ ! -s "$W/out.$name" ]
	ok $? "$what: after a restart all holds" || note "$(cat "$W/out.$name")"
done <"$W/trials"
# What did not come, by its shape: only publishing may, and by one call in fifty.
missed | while read -r name mode k errno; do awk -F'\t' -v k="$k" '$1 == k { print k, $4, $8 }' "$W/calls"; done >"$W/missed"
! grep -vE ' (3/evidence/(log|checkpoints)/|4/)' "$W/missed"
ok $? "every call that was chosen came, but of publishing" || note "$(cat "$W/missed")"
n=$(wc -l <"$W/missed")
[ $((n * 50)) -le "$(wc -l <"$W/trials")" ] || [ "$n" -le 1 ]
ok $? "and of publishing all but $n" || note "$(cat "$W/missed")"
finish
