#!/bin/bash
# limit: 300
# give.keep: what was put into done/ goes again when its time is over, if it is archived,
# logged and unchanged.  What people made of it, or put there themselves, stays; and no
# clock that is set makes anything older.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom tests/clockstep.so
room_new
LEVEL=B-B
SETTLE=100ms
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "top-left"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
keep() { FOLDER_EXTRA="ticket = \"optional\"; give = { keep = \"$1\"; };" && room_settings; }
export CLOCK_STEP=$R/step
start() { # where it can be, with a clock of its own
	if [ -n "${SEALROOM_ASAN-}" ]; then
		room_start
	else
		LD_PRELOAD=$BIN/tests/clockstep.so "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
		ROOM_PID=$!
		PIDS+=("$ROOM_PID")
	fi
	wait_for 30 test -S "$R/control"
}
stop() { room_stop && rm -f "$R/control"; }
D=$R/in/$DONE
n=0
paper() { n=$((n + 1)) && "$TOOLS/small-scan" "PAGE $n" "$W/$1.tif"; }
send() { paper "$1" && drop "$W/$1.tif"; }
ticket() { printf '{ "v": 1, "reference": "%s" }' "$1" >"$R/in/.t" && mv "$R/in/.t" "$R/in/$1.tif.ticket"; }
gone() { local f; for f; do [ ! -e "$D/$f" ] || return 1; done; }
records() { cat "$R"/state/given/post.* 2>/dev/null | wc -l; }

# Everything that can become of a result.
keep 1h
echo 0 >"$R/step"
start
for f in plain changed touched twice writer lost; do send $f; done
paper asked && ticket asked && drop "$W/asked.tif"
paper kept && ticket kept && drop "$W/kept.tif"
echo "no document" >"$W/bad.xyz" && drop "$W/bad.xyz"
for f in plain changed touched twice writer lost asked kept; do
	wait_for 90 test -s "$D/$f.pdf" || bail "$f.pdf is given ($(tail -n 3 "$LOG"))"
done
wait_for 30 test -s "$R/in/$ERROR/bad.xyz.txt"
wait_for 30 sh -c "[ \$(ls '$R/state/spool'/*/ | grep -c '^[a-z0-9]\{26\}$') = 0 ]"
is "$(records)" 8 "each result is on record" || note "$(ls -R "$R/state/given")"
cp "$D/plain.pdf" "$D/own copy.pdf"
echo "mine" >"$D/own.txt"
printf '%%note\n' >>"$D/changed.pdf"
printf ' ' >>"$D/kept.pdf"
touch -d '2001-01-01' "$D/touched.pdf"
ln "$D/twice.pdf" "$W/twice.pdf"
sealed() { python3 -c 'import json, sys
for l in open(sys.argv[1]):
    g = json.loads(l)
    if g["files"][0]["name"] == sys.argv[2]: print(g["archive"] + " " + g["job"])' "$R"/state/given/post.* "$1.pdf"; }
read -r lost_dir _ < <(sealed lost)
read -r _ plain_job < <(sealed plain)
cp -p "$R/archive/$lost_dir/sealed.pdf" "$W/lost.sealed"
chmod u+w "$R/archive/$lost_dir" "$R/archive/$lost_dir/sealed.pdf" && printf ' ' >>"$R/archive/$lost_dir/sealed.pdf"

# Ten years forward, and back: nothing grows old by that.
if [ -z "${SEALROOM_ASAN-}" ]; then
	echo 315360000 >"$R/step"
	wait_for 30 grep -q 'the clock was set forward' "$LOG"
	ok $? "a clock that is set ten years forward is noticed" || daemon_said
	sleep 3
	is "$(find "$D" -name '*.pdf' | wc -l)" 9 "and clears nothing"
	echo 0 >"$R/step"
fi
stop
is "$(find "$R/state/given" -name 'post.*' | wc -l)" 1 "the records stay over a restart"

# A crash between two of its steps left one of them under another name.
mv "$D/plain.pdf" "$D/.sealroom-cleared-$plain_job-0"
keep 1s
cmd check >"$W/out" 2>&1
like "$(cat "$W/out")" "give.keep: results are gone within an hour" "check warns of a time that is too short"
like "$(cat "$W/out")" "results are taken out of 'done' again after 1s" "and says what is taken out by itself"
exec 7>>"$D/writer.pdf"
start
wait_for 60 gone twice.pdf asked.pdf asked.pdf.json ".sealroom-cleared-$plain_job-0"
ok $? "what is archived, logged and unchanged is taken out, with its JSON" || { note "$(ls -la "$D")" && daemon_said; }
wait_for 30 grep -q 'results were taken out of done, as give.keep says' "$LOG"
ok $? "which is said in the journal" || daemon_said
cmp -s "$R/archive/$(sealed twice | cut -d' ' -f1)/sealed.pdf" "$W/twice.pdf"
ok $? "another name of the same file keeps its bytes"
for f in changed.pdf touched.pdf kept.pdf kept.pdf.json "own copy.pdf" own.txt lost.pdf writer.pdf; do
	[ -e "$D/$f" ] || echo "$f"
done >"$W/missing"
is "$(cat "$W/missing")" "" "what was changed or touched, is open, is not in the archive, or is people's own, stays"
[ -e "$R/in/$ERROR/bad.xyz" ]
ok $? "error/ is not touched"
exec 7>&-
stop

# Given once more under the same reference: another file, with a time of its own.
keep 1h
start
ticket asked && drop "$W/asked.tif"
wait_for 60 test -s "$D/asked.pdf.json"
ok $? "the same reference brings the same result again" || daemon_said
sleep 2
[ -e "$D/asked.pdf" ]
ok $? "the record of the first does not clear the second"
keep 2s
kill -HUP "$ROOM_PID"
wait_for 60 gone asked.pdf asked.pdf.json writer.pdf
ok $? "with other settings it is cleared in turn, and so is what nobody has open any more" || { note "$(ls -la "$D")" && daemon_said; }
wait_for 30 sh -c "! ls '$R'/state/given/post.*"
ok $? "no record is left when all are settled" || note "$(cat "$R"/state/given/post.*)"
is "$(find "$D" -type f | sort | sed "s#$D/##" | paste -sd,)" "changed.pdf,kept.pdf,kept.pdf.json,lost.pdf,own copy.pdf,own.txt,touched.pdf" \
    "what had to stay is there still" || note "$(ls -la "$D")"
stop
is $? 0 "the daemon ends when told to"
cp -p "$W/lost.sealed" "$R/archive/$lost_dir/sealed.pdf"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log") $(grep -c '^type repeat$' "$W/log")" "8 1" "the log has each result"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "and all is proven" || note "$(cat "$W/out")"
finish
