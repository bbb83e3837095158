#!/bin/bash
# What a person must decide lies in held/ with a sentence and a picture, in the
# folder's language, until it is decided; the decision is on record.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf
need_program sealroomd sealroom
room_new
LEVEL=B-B
RULES='
  brief : { when = { any = [ "Siegel der Behörde" ]; typos = 1; };
            place = { near = "Siegel der Behörde"; typos = 1; nth = "only"; side = "below"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; };
  all   : { when = "always"; place = { at = "top-left"; size = [ "50mm", "20mm" ]; margin = [ "12mm", "14mm" ]; ink = "ignore"; }; seal = "stamp"; };'
FOLDER_RULES='"brief"'
FOLDER_EXTRA='language = "de";'
room_settings
DONE=fertig HELD=offen ERROR=fehler

room_start
wait_for 30 test -S "$R/control"
for n in eins zwei drei; do cp "$SCANS/de-zweimal.tif" "$R/in/.$n" && printf '%s' "$n" >>"$R/in/.$n" && mv "$R/in/.$n" "$R/in/$n.tif"; done
for n in eins zwei drei; do
	wait_for 60 test -s "$R/in/$HELD/$n.tif.txt"
	ok $? "$n.tif is held" || daemon_said
	wait_for 30 test -s "$R/in/$HELD/$n.tif.png" # given after the text
	[ -s "$R/in/$HELD/$n.tif" ] && [ "$(tail -c +2 "$R/in/$HELD/$n.tif.png" | head -c 3)" = PNG ]
	ok $? "$n.tif: the original and a picture lie beside the reason"
done
like "$(tr '\r\n' '  ' <"$R/in/$HELD/eins.tif.txt" | tr -s ' ')" 'Siegel der Behörde.*mehr als einmal' "the reason is said in German, with the words"
python3 -c 'import sys; t = open(sys.argv[1], "rb").read(); t.decode("utf-8"); sys.exit(b"\r\n" not in t)' "$R/in/$HELD/eins.tif.txt"
ok $? "in UTF-8, with the line ends of Windows"
[ -z "$(find "$R/in" -maxdepth 1 -type f ! -name .sealroom-agent)" ]
ok $? "the hot folder is empty"
job() { cmd status --json | python3 -c 'import json, sys; print(next(j["id"] for j in json.load(sys.stdin)["jobs"] if j["name"] == sys.argv[1]))' "$1.tif"; }

eins=$(job eins) zwei=$(job zwei) drei=$(job drei)
cmd release "$eins" --at 1,30,40 >"$W/out" 2>&1
is $? 0 "a place can be given" || note "$(cat "$W/out")"
wait_for 60 test -s "$R/in/$DONE/eins.pdf"
ok $? "and the letter is sealed" || daemon_said
is "$("$TOOLS/widget" "$R/in/$DONE/eins.pdf" | cut -d' ' -f1-3)" "1 85.0 113.4" "at exactly that place"
cmd release "$(echo "$zwei" | cut -c1-20)" --reject "Bitte neu scannen" >"$W/out" 2>&1
is $? 0 "a letter can be refused, by the beginning of its number" || note "$(cat "$W/out")"
wait_for 60 test -s "$R/in/$ERROR/zwei.tif.txt"
ok $? "and comes back as refused" || daemon_said
like "$(cat "$R/in/$ERROR/zwei.tif.txt")" "Bitte neu scannen" "with the words of who decided"
cmd release "$drei" --rule nowhere >"$W/out" 2>&1
[ $? != 0 ]
ok $? "a rule that does not exist decides nothing"
cp "$SCANS/en-letter.tif" "$R/in/.vier" && mv "$R/in/.vier" "$R/in/vier.tif"
wait_for 60 test -s "$R/in/$HELD/vier.tif.txt"
ok $? "a letter that no rule is for is held, too" || daemon_said
vier=$(job vier)
wait_for 30 sh -c "! '$BIN/sealroom' --conf '$R/sealroom.conf' release '$vier' --at 1,30,40 2>&1 | grep -q 'try again'"
cmd release "$vier" --at 1,30,40 >"$W/out" 2>&1
is $? 64 "a place without a rule decides nothing"
like "$(cat "$W/out")" 'name a rule' "and what is missing is said"
wait_for 30 cmd release "$vier" --reject "gehört nicht hierher"
ok $? "it can be refused" || daemon_said
wait_for 60 test -s "$R/in/$ERROR/vier.tif.txt"
ok $? "and comes back" || daemon_said
cmd release "$drei" --again >"$W/out" 2>&1
wait_for 60 sh -c "[ \$('$TOOLS/logread' '$R/archive' | grep -c '^type hold') = 5 ]"
ok $? "asked again without a change, it is held again" || daemon_said
room_stop
is $? 0 "the daemon ends when told to"

# What was held survives a restart; the rule may be another by then.
FOLDER_RULES='"brief", "all"'
room_settings
room_once
is $? 0 "a start with a held letter comes to rest" || daemon_said
[ -s "$R/in/$HELD/drei.tif" ]
ok $? "it is still held"
room_start
wait_for 30 test -S "$R/control"
wait_for 30 cmd release "$drei" --rule all # not before its question was handed out again
ok $? "a rule can be given" || daemon_said
wait_for 60 test -s "$R/in/$DONE/drei.pdf"
ok $? "and the letter is sealed by it" || daemon_said
is "$("$TOOLS/widget" "$R/in/$DONE/drei.pdf" | cut -d' ' -f1-3)" "1 34.0 39.7" "where that rule says"
wait_for 20 test ! -e "$R/in/$HELD/drei.tif"
ok $? "nothing of it is left in held/"
room_stop
is $? 0 "the daemon ends when told to"
is "$(find "$R/in/$HELD" -type f)" "" "no companion is left either"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type hold$' "$W/log") $(grep -c '^type release$' "$W/log") $(grep -c '^type job$' "$W/log") $(grep -c '^type reject$' "$W/log")" \
    "5 5 2 2" "holds, decisions and ends are on record"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "and all is proven" || note "$(cat "$W/out")"
finish
