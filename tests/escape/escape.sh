#!/bin/bash
# limit: 600
# Every role's own tables against every attempt: with this kernel's Landlock, and
# as on a kernel that has ABI 2 only (stock Debian 12).
. "$(dirname "$0")/../lib.sh"

for program in "$TOP"/tests/escape/e_*.c; do
	name=$(basename "$program" .c)
	for abi in kernel 2; do
		out=$W/$name.$abi
		if [ $abi = 2 ]; then export SEALROOM_LANDLOCK_ABI=2; else unset SEALROOM_LANDLOCK_ABI; fi
		mkdir -p "$W/t"
		TMPDIR=$W/t "$BIN/tests/$name" >"$out" 2>&1
		rc=$?
		rm -rf "$W/t"
		while IFS= read -r line; do
			case $line in
			"ok "*) ok 0 "${line#ok * - } (Landlock ABI: $abi)" ;;
			"not ok "*) ok 1 "${line#not ok * - } (Landlock ABI: $abi)" ;;
			esac
		done <"$out"
		[ $rc -le 1 ] && grep -q '^1\.\.[1-9]' "$out"
		ok $? "$name came to its end (Landlock ABI: $abi)" || note "$(tail -n 5 "$out")"
	done
done
finish
