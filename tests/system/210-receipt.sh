#!/bin/bash
# Who takes the receipt out of work/ before the token is asked has taken the
# document back; later it has no effect but a line in the log.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
tsa_start
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
SCAN_LANGUAGES='"eng"'
room_settings
paper() { "$TOOLS/small-scan" "$1" "$W/$2" && drop "$W/$2" "$2"; }
in_state() { [ -n "$(ls "$R/state/spool/$1")" ]; }
nothing_in() { [ -z "$(ls "$R/state/spool/$1")" ]; }
logged() { "$TOOLS/logread" "$R/archive" >"$W/log" 2>/dev/null && grep -c "^type $1\$" "$W/log"; }
has_logged() { [ "$(logged "$1")" = "$2" ]; }

# Without its token a document waits just before step 6.
mv "$R/pki/softhsm/tokens" "$R/pki/softhsm/away"
room_start
paper 'ANNA 1' a.tif
wait_for 60 in_state rendered
ok $? "a document waits for its token" || daemon_said
[ -s "$R/in/$WORK/a.tif" ]
ok $? "its receipt lies in work/"
rm "$R/in/$WORK/a.tif"
wait_for 60 has_logged withdraw 1
ok $? "the receipt removed, the log says withdraw" || daemon_said
wait_for 30 nothing_in rendered
ok $? "nothing goes on with it"
is "$(find "$R/in" -type f ! -name '.*')" "" "and nothing is handed out: the person has it"
wait_for 30 sh -c "cmp -s '$W/a.tif' '$R'/state/quarantine/*/source"
ok $? "the bytes are kept in quarantine all the same" || note "$(find "$R/state/quarantine")"
like "$(cat "$W/log")" '^text the receipt was taken out of the folder$' "how it came is on record"
ls "$R"/state/events/new/*-withdraw-*.json >/dev/null 2>&1
ok $? "and an event says so"

# Another folder in its place says nothing about what people did.
paper 'ANNA 2' b.tif
wait_for 60 in_state rendered
wait_for 30 test -s "$R/in/$WORK/b.tif"
sleep 1.5 # seen there
mv "$R/in/$WORK" "$R/away" && mkdir "$R/in/$WORK"
sleep 3
in_state rendered && has_logged withdraw 1
ok $? "an empty folder in the place of work/ withdraws nothing" || daemon_said
rmdir "$R/in/$WORK" && mv "$R/away" "$R/in/$WORK"

# While the daemon was down.
room_stop
is $? 0 "the daemon ends when told to"
rm "$R/in/$WORK/b.tif"
mv "$R/pki/softhsm/away" "$R/pki/softhsm/tokens"
tsa_fault tsa=down
room_start
wait_for 60 has_logged withdraw 2
ok $? "a receipt removed while nobody looked counts as well, the token back or not" || daemon_said
wait_for 30 nothing_in rendered
ok $? "that document ends too"

# Too late: the token was asked.
paper 'ANNA 3' c.tif
wait_for 90 in_state signed
ok $? "a document is signed and waits for its time-stamp" || daemon_said
wait_for 30 test -s "$R/in/$WORK/c.tif"
rm "$R/in/$WORK/c.tif"
wait_for 30 has_logged note 1
ok $? "its receipt removed then is a note in the log" || daemon_said
tsa_fault clear
wait_for 90 test -s "$R/in/$DONE/c.pdf"
ok $? "and the document comes back sealed" || daemon_said
room_stop
is "$(logged withdraw) $(logged job) $(logged reject)" "2 1 0" "each document has one end in the log"
like "$(cat "$W/log")" 'its receipt was removed after the token was asked, without effect$' "in clear words"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "and all is proven" || note "$(cat "$W/out")"
before=$("$TOOLS/logread" "$R/archive" | grep -c '^type note$')
room_once
is $? 0 "another start comes to rest" || daemon_said
is "$("$TOOLS/logread" "$R/archive" | grep -c '^type note$')" "$before" "and says nothing again"
finish
