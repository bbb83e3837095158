#!/bin/bash
# Other settings without a restart: good ones come into force, bad ones change nothing, and what only
# a start can change is said.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B SCAN_LANGUAGES='"deu"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || bail "a scan can be made"
mkdir "$R/second"
room_start
drop "$W/letter.tif" one.tif
wait_for 60 test -s "$R/in/$DONE/one.pdf"
ok $? "a letter is sealed with the first settings" || daemon_said

log_lines() { wc -l <"$LOG"; }
said_since() { tail -n +"$(($1 + 1))" "$LOG" | grep -qE "$2"; }
reload_with() { # sed script, pattern in the log, sentence
	local from
	from=$(log_lines)
	sed -E -i "$1" "$R/sealroom.conf"
	kill -HUP "$ROOM_PID"
	wait_for 30 said_since "$from" "$2"
	ok $? "$3" || note "$(tail -n +"$from" "$LOG")"
}
cp "$R/sealroom.conf" "$W/good.conf"
entries() { cmd --json evidence list | grep -c '"config"'; }
before=$(entries)

# --- refused -------------------------------------------------------------------------------
reload_with 's/settle = /setle = /' 'sealroom\.conf:[0-9]+: .*setle' "a mistake is named with its line"
reload_with 's/x/x/' 'the settings stay as they are' "and the old settings stay"
cp "$W/good.conf" "$R/sealroom.conf"
reload_with "s#$R/state\"#$R/elsewhere\"#" 'stay as they are: state: can only change with a restart' "what only a start can change is named"
cp "$W/good.conf" "$R/sealroom.conf"
reload_with 's/^language = "en";/& operators = [ "nobody-of-this-name" ];/' 'stay as they are: operators' "an operator who does not exist is named"
rm "$R/sealroom.conf"
reload_with_none() { from=$(log_lines); kill -HUP "$ROOM_PID"; wait_for 30 said_since "$from" 'the settings stay as they are'; }
reload_with_none
ok $? "settings that are gone change nothing" || daemon_said
cp "$W/good.conf" "$R/sealroom.conf"
drop "$W/letter.tif" two.tif
wait_for 60 test -s "$R/in/$DONE/two.pdf"
ok $? "after all that it seals as before" || daemon_said
is "$(entries)" "$before" "the log has no entry of settings that never were in force"

# --- in force --------------------------------------------------------------------------------
token=$(pgrep -P "$ROOM_PID" -f 'sealroom-seal.*--token' | head -n 1)
reload_with "s#folders : \{ post : #folders : { more : { path = \"$R/second\"; rules = [ \"all\" ]; seals = [ \"stamp\" ]; settle = \"$SETTLE\"; }; post : #;
    s#seal = \"stamp\"; \};#seal = \"stamp\"; name = \"new-{name}.pdf\"; };#" \
    'new settings are in force: 2 folders' "a folder more, and another rule: they come into force"
cp "$W/letter.tif" "$R/second/.x.part" && mv "$R/second/.x.part" "$R/second/three.tif"
wait_for 60 test -s "$R/second/$DONE/new-three.pdf"
ok $? "the new folder is served, by the new rule" || daemon_said
drop "$W/letter.tif" four.tif
wait_for 60 test -s "$R/in/$DONE/new-four.pdf"
ok $? "so is the old one" || daemon_said
is "$(pgrep -P "$ROOM_PID" -f 'sealroom-seal.*--token' | head -n 1)" "$token" "the key, which is not concerned, keeps its login"
is "$(entries)" "$((before + 1))" "the log has the new settings, once"

# Jobs that are under way while the settings change.
for i in 1 2 3 4; do drop "$W/letter.tif" "way-$i.tif"; done
wait_for 30 test -n "$(find "$R/in" -name 'way-*')"
reload_with 's/key_label = "seal-p256"/key_label = "seal-rsa3072"/' 'new settings are in force' "another key, while letters are under way"
ways() { [ "$(find "$R/in/$DONE" -name 'new-way-*.pdf' | wc -l)" = 4 ]; }
wait_for 120 ways
ok $? "all of them are sealed" || daemon_said
drop "$W/letter.tif" five.tif
wait_for 60 test -s "$R/in/$DONE/new-five.pdf"
ok $? "and one after them" || daemon_said
judge_cms "$R/in/$DONE/new-five.pdf" && openssl cms -cmsout -print -inform DER -in "$W/sig.cms" 2>/dev/null | grep -q rsaEncryption
ok $? "with the new key" || note "$(cat "$W/cms.err")"

# A token and a folder go.
reload_with "s#more : \{ path[^}]*\}; ##; s#tokens : \{ soft : #tokens : { spare : { module = \"$MODULE\"; label = \"nowhere\"; pin = \"file:$PIN_FILE\"; }; soft : #" \
    'new settings are in force: 1 folders' "a folder less, a token more"
wait_for 30 grep -q 'token spare: token-absent' "$LOG"
ok $? "the new token is looked for" || daemon_said
reload_with 's#spare : \{[^}]*\}; ##' 'new settings are in force' "and less again"
wait_for 30 sh -c "! '$BIN/sealroom' --conf '$R/sealroom.conf' --json status | grep -q spare"
ok $? "it is gone from the status"
cp "$W/letter.tif" "$R/second/six.tif"
drop "$W/letter.tif" seven.tif
wait_for 60 test -s "$R/in/$DONE/new-seven.pdf"
ok $? "it goes on" || daemon_said
[ -e "$R/second/six.tif" ]
ok $? "a folder that is in the settings no more is left alone"
room_stop
is $? 0 "it ends as always" || daemon_said
room_once
is $? 0 "and starts with the last settings" || daemon_said
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive proves it all" || note "$(cat "$W/audit")"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 10 "ten letters, each sealed once"
finish
