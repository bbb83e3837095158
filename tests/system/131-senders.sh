#!/bin/bash
# limit: 300
# Whatever way a document comes, it is taken whole, once, and not before it is there.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
SETTLE=1s
INCOMPLETE=120s
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
ways=(slow pages part filepart crdownload lock link nameless rewrite truncate mmap twice future past private)
mkdir "$W/sent"
for w in "${ways[@]}"; do "$TOOLS/small-scan" "${w^^}" "$W/sent/$w.tif" || bail "scans can be made"; done
room_start
wait_for 30 test -e "$R/in/.sealroom-agent"
ok $? "the folder is marked as this daemon's" || daemon_said

truncate -s 20G "$R/in/sparse.tif"
senders=()
for w in "${ways[@]}"; do
	"$TOOLS/sender" "$w" "$W/sent/$w.tif" "$R/in" "$w.tif" 2>"$W/$w.err" &
	senders+=($!)
done
for i in "${!ways[@]}"; do
	wait "${senders[$i]}"
	ok $? "${ways[$i]}: sent" || note "$(cat "$W/${ways[$i]}.err")"
done
foreign=0
if [ -n "${SEALROOM_FOREIGN-}" ] && mv "$SEALROOM_FOREIGN" "$R/in/foreign.tif"; then
	foreign=1
else
	skip "a file of another user" "only root can make one"
fi
all_done() { [ "$(find "$R/in/$DONE" -name '*.pdf' | wc -l)" -ge $((${#ways[@]} + foreign)) ] && [ -z "$(ls "$R/in/$WORK")" ]; }
wait_for 120 all_done
ok $? "all come back" || { daemon_said; note "$(ls "$R/in" "$R/in/$ERROR")"; }
"$TOOLS/logread" "$R/archive" >"$W/log"
for w in "${ways[@]}"; do
	is "$(grep -c "^source .*sha256:$(sha "$W/sent/$w.tif")" "$W/log")" 1 "$w: whole, and once"
done
is "$(grep -c '^type job$' "$W/log") $(grep -c '^type reject$' "$W/log")" "$((${#ways[@]} + foreign)) 0" "nothing else was sealed or refused"
[ "$foreign" = 0 ] || like "$(cat "$LOG")" 'whether a file is still open for writing cannot be asked' \
    "that the writer of a foreign file cannot be seen is said"
[ -e "$W/sent/link.tif" ] && [ ! -e "$R/in/link.tif" ]
ok $? "of a document that was linked in, the other name stays"
like "$(cat "$LOG")" 'sparse.tif: 21474836480 bytes.*left alone' "20 GiB of nothing are reported"
[ -e "$R/in/sparse.tif" ]
ok $? "and left where they are"
rm -f "$R/in/sparse.tif"

# A flood: more names at once than the kernel queues events for, and documents among them.
core() { sed -n "s/^$1:\s*\([0-9]*\) kB/\1/p" "/proc/$ROOM_PID/status"; }
kill -STOP "$ROOM_PID"
python3 - "$R/in" <<'P'
import sys
for i in range(20000):
    open("%s/begun-%05d.tif" % (sys.argv[1], i), "w").close()
P
kill -CONT "$ROOM_PID"
for i in 1 2 3; do
	"$TOOLS/small-scan" "FLOOD $i" "$W/f.tif"
	drop "$W/f.tif" "flood$i.tif"
	printf 'no document %d' "$i" >"$R/in/text$i.tif"
done
flooded() { [ -s "$R/in/$DONE/flood1.pdf" ] && [ -s "$R/in/$DONE/flood2.pdf" ] && [ -s "$R/in/$DONE/flood3.pdf" ] && [ -s "$R/in/$ERROR/text3.tif.txt" ]; }
wait_for 60 flooded
ok $? "documents among 20,000 files that were only begun come back, or are refused" || daemon_said
grep -q 'too many events at once' "$LOG"
ok $? "although events were lost"
if [ -n "${SEALROOM_ASAN-}" ]; then
	skip "the core never needed more than 30 MiB" "a build with sanitizers needs more for itself"
else
	[ "$(core VmHWM)" -le 30720 ]
	ok $? "the core never needed more than 30 MiB: $(core VmHWM) kB"
fi
counted() { cmd status --json | python3 -c 'import json, sys; f = json.load(sys.stdin)["folders"][0]; sys.exit(f["later"] + f["odd"] != 20000 or f["later"] > 16384)'; }
wait_for 60 counted # the next scan of the whole folder corrects it
ok $? "all of them are counted, and half of the table of names is kept free of them" || note "$(cmd status)"
find "$R/in" -maxdepth 1 -name 'begun-*' -delete
room_stop
is $? 0 "the daemon ends when told to"
[ ! -e "$R/in/.sealroom-agent" ]
ok $? "and takes its marker with it"
finish
