#!/bin/bash
# limit: 7200
# alone
# A file that is refused while something fails: it comes back with a reason, once, and its
# bytes are kept (I10); the same deaths, errors and power cuts as for a letter.
# A seeded sample (REFUSED_SEED=N others); REFUSED=full: at every call.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/trial.bash"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer tests/oom.so
room_template
mkdir "$W/sender/refused" && rm "$W/sender/$LETTER" "$W/t/in/$LETTER"
LETTER=none.tif SIGNATURES=0
printf 'no document' >"$W/sender/refused/$LETTER" && cp "$W/sender/refused/$LETTER" "$W/t/in/"
undisturbed
awk -F'\t' '$5 >= 0 { print $1 }' "$W/calls" |
	sed 's/.*/before-& before &\nerror-EIO-& error & EIO\nerror-ENOSPC-& error & ENOSPC\nfrom-EIO-& from & EIO/' >"$W/all"
"$TOP/tests/fault/powercut" "$W/calls" "$W/data" "$W/count" "$W/t" --list lost names zeros torn mixed-1 |
	sed -E 's/^(.*) (.*)$/cut-\1-\2 cut \1 \2/' >>"$W/all"
note "the whole list has $(wc -l <"$W/all") trials"
if [ "${REFUSED-}" = full ]; then
	cp "$W/all" "$W/trials"
else
	shuf -n 16 --random-source=<(seeded "${REFUSED_SEED:-1}") "$W/all" >"$W/trials"
fi
together "$together_n" <"$W/trials"
while read -r name fault; do
	[ -e "$W/out.$name" ] && [ ! -s "$W/out.$name" ]
	ok $? "$fault: after a restart all holds" || note "$(cat "$W/out.$name")"
done <"$W/trials"
n=$(find "$W" -maxdepth 1 -name '*.missed' | wc -l)
[ $((n * 10)) -le "$(wc -l <"$W/trials")" ]
ok $? "the faults came (all but $n of $(wc -l <"$W/trials"))"
finish
