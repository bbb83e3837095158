#!/bin/bash
# limit: 600
# alone
# A sample of what `make torture` tries to the end: power cuts in all variants, calls
# that die behind, are cut short or fail for good, descriptors and memory that run out,
# in the core and in the process of the token.  Seeded: SAMPLE_SEED=N chooses others.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/trial.bash"
[ -z "${SEALROOM_ASAN-}" ] || skip_all "a build with sanitizers takes no module but SoftHSM's"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer tests/oom.so
room_template
undisturbed
whole_list >"$W/all"
note "the whole list has $(wc -l <"$W/all") trials: $(cut -d' ' -f2 "$W/all" | sort | uniq -c | awk '{ printf "%s %s, ", $2, $1 }')"
# so many of each kind
while read -r n some; do
	grep -E "^$some" "$W/all" | shuf -n "$n" --random-source=<(seeded "${SAMPLE_SEED:-1}")
done >"$W/trials" <<-KINDS
	20 cut-
	3 after-
	3 short-
	2 from-EIO-
	2 from-ENOSPC-
	3 open-EMFILE-sealroomd-
	2 open-ENOMEM-sealroomd-
	1 open-EMFILE-sealroom-seal-
	1 open-ENOMEM-sealroom-scan-
	4 oom-sealroomd-
	2 starve-sealroomd-
	2 oom-sealroom-seal-
	1 oom-sealroom-scan-
	1 oom-sealroom-verify-
	1 oom-sealroom-fetch-
KINDS
together $together_n <"$W/trials"
while read -r name fault; do
	[ -e "$W/out.$name" ] && [ ! -s "$W/out.$name" ]
	ok $? "$fault: after a restart all holds" || note "$(cat "$W/out.$name")"
done <"$W/trials"
n=$(find "$W" -maxdepth 1 -name '*.missed' | wc -l)
[ $((n * 10)) -le "$(wc -l <"$W/trials")" ]
ok $? "the faults came (all but $n of $(wc -l <"$W/trials"))"
finish
