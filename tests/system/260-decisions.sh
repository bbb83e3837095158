#!/bin/bash
# limit: 300
# A ticket decides about a held document: dropped into the folder or into held/, it
# does what sealroom release does, for its owner; and nothing, if that one may not.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf
need_program sealroomd sealroom
room_new
LEVEL=B-B
SETTLE=100ms
SCAN_LANGUAGES='"eng"'
RULES='
  none : { when = { any = [ "NEVERTHERE" ]; }; place = { at = "top-left"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };
  else : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"none"'
# The folder of this test has one rule, and another one may not be asked for.
settings() { # RELEASE
	FOLDER_EXTRA="release = { $1 };"
	room_settings
	sed -i "s#^folders : {#folders : { other : { path = \"$R/other\"; rules = [ \"else\" ]; seals = [ \"stamp\" ]; };#" "$R/sealroom.conf"
}
mkdir "$R/other"
me=$(id -u)
n=0
held() { # NAME: one that no rule is for
	n=$((n + 1)) && "$TOOLS/small-scan" "PAGE $n" "$W/$1.tif" && drop "$W/$1.tif"
	wait_for 60 test -s "$R/in/$HELD/$1.tif.txt" || bail "$1.tif is held ($(tail -n 3 "$LOG"))"
}
decision() { printf '{ "v": 1, "sha256": "%s", "decision": %s }' "$(sha "$W/$1.tif")" "$2"; }
put() { printf '%s' "$2" >"$R/.t" && mv "$R/.t" "$1"; } # PATH TEXT
value() { python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v = v[k]
print(v)' "$1" "$2" 2>&1; }
state() { cmd status --json | python3 -c 'import json, sys
print("".join(j["state"] for j in json.load(sys.stdin)["jobs"] if j["name"] == sys.argv[1]))' "$1.tif"; }
refused() { # TICKET CODE SENTENCE
	wait_for 60 test -s "$R/in/$ERROR/$1.ticket.txt"
	like "$(cat "$R/in/$ERROR/$1.ticket.txt")" "$2" "$3" || daemon_said
}

settings "by = [ \"$me\" ];"
cmd check >"$W/out" 2>&1
like "$(cat "$W/out")" 'release goes by the owner of files' "check says that people are told apart by their files"
room_start
wait_for 30 test -S "$R/control"
for f in place again no beside twin; do held $f; done
cp "$W/twin.tif" "$W/twin2.tif" && touch "$W/twin2.tif" && drop "$W/twin2.tif"
wait_for 60 test -s "$R/in/$HELD/twin2.tif.txt"

# In the folder, under any name.
t=$(decision place '{ "rule": "none", "at": { "page": 1, "x": 2, "y": 3.0 } }')
put "$R/in/whatever.ticket" "$t"
wait_for 60 test -s "$R/in/$DONE/place.pdf"
ok $? "a rule and a place are given by a ticket, and the letter is sealed" || daemon_said
is "$("$TOOLS/widget" "$R/in/$DONE/place.pdf" | cut -d' ' -f1-3)" "1 5.7 8.5" "at exactly that place"
wait_for 20 test ! -e "$R/in/$WORK/whatever.ticket" -a ! -e "$R/in/whatever.ticket"
ok $? "the ticket has vanished"
hash=$(printf '%s' "$t" | sha256sum | cut -d' ' -f1)
"$TOOLS/logread" "$R/archive" >"$W/log"
like "$(grep "^text rule none at page 1" "$W/log")" "; ticket sha256:$hash\$" "the log has the decision, with the ticket's hash"
job=$(find "$R/archive" -name job.json)
is "$(value "$job" decision.owner_uid) $(value "$job" decision.sha256) $(value "$job" decision.text)" "$me $hash $t" \
    "and the archive the ticket, with its owner"

# Beside the document.
put "$R/in/$HELD/beside.tif.ticket" "$(decision beside '{ "rule": "none" }')"
wait_for 60 test -s "$R/in/$DONE/beside.pdf"
ok $? "a ticket that is put beside the held document acts, too" || daemon_said
put "$R/in/no.tif.ticket" "$(decision no '{ "reject": "Bitte neu scannen" }')"
wait_for 60 test -s "$R/in/$ERROR/no.tif.txt"
like "$(cat "$R/in/$ERROR/no.tif.txt")" "Bitte neu scannen" "a letter is refused with the words of the ticket" || daemon_said
put "$R/in/again.tif.ticket" "$(decision again '{ "again": true }')"
wait_for 60 sh -c "[ \$('$TOOLS/logread' '$R/archive' | grep -c '^question 2') = 1 ]"
ok $? "asked again without a change it is held again" || daemon_said
put "$R/in/x.ticket" "$(decision twin '{ "rule": "none" }')"
refused x decision-without-document "of two with the same bytes none is meant by another name"
like "$(cat "$R/in/$ERROR/x.ticket.txt")" '2 documents with this sha256' "and that is said"
put "$R/in/twin2.tif.ticket" "$(decision twin '{ "rule": "none" }')"
wait_for 60 test -s "$R/in/$DONE/twin2.pdf"
is "$(state twin)" held "by its name one of them is" || daemon_said

# What is wrong changes nothing, and comes back.
put "$R/in/gone.ticket" "$(decision place '{ "again": true }')"
refused gone decision-without-document "one that has been decided is not decided twice"
put "$R/in/rule.ticket" "$(decision again '{ "rule": "else" }')"
refused rule ticket-exceeds-rights "a rule of another folder can not be asked for"
put "$R/in/page.ticket" "$(decision again '{ "rule": "none", "at": { "page": 7, "x": 1, "y": 1 } }')"
refused page ticket-invalid "nor a page that is not there"
put "$R/in/typo.ticket" "$(decision again '{ "agin": true }')"
refused typo ticket-invalid "a wrong one does not wait for a document"
[ "$(cat "$R/in/$ERROR/typo.ticket")" = "$(decision again '{ "agin": true }')" ]
ok $? "and comes back as it was"
put "$R/in/bytes.ticket" "$(printf '{ "v": 1, "sha256": "%s", "decision": { "again": true } }' "$(echo other | sha256sum | cut -d' ' -f1)")"
refused bytes decision-without-document "another hash decides about nothing"
is "$(state again)" held "the letter waits on"
# Anybody of the group could have written it.
decision again '{ "rule": "none" }' >"$R/.t" && chmod 660 "$R/.t" && mv "$R/.t" "$R/in/open.ticket"
refused open sender-unproven "a ticket that others may write is nobody's decision"
is "$(state again)" held "the letter waits on"

# Who may.
for by in 'by = [ "4242", "@4242" ];' "by = [ \"$me\" ]; not = \"dropper\";" ''; do
	settings "$by"
	kill -HUP "$ROOM_PID"
	wait_for 30 sh -c "[ \$(grep -c 'new settings are in force' '$LOG') = $((k = ${k-0} + 1)) ]"
	put "$R/in/may$k.ticket" "$(decision again '{ "rule": "none" }')"
	refused "may$k" decision-not-allowed "not with release = { $by }"
	cmd release "$(cmd status --json | python3 -c 'import json, sys; print(next(j["id"] for j in json.load(sys.stdin)["jobs"] if j["name"] == "again.tif"))')" \
	    --rule nowhere >"$W/out" 2>&1
	[ -z "$by" ] && like "$(cat "$W/out")" 'there is no rule' "while by command everybody may who is served"
	[ -n "$by" ] && like "$(cat "$W/out")" 'not-allowed' "nor by command"
done
is "$(state again)" held "nobody has decided"

# Four eyes: what was given back belongs to the daemon, and is not taken as dropped by it.
settings "by = [ \"$me\" ]; not = \"dropper\";"
kill -HUP "$ROOM_PID"
wait_for 30 sh -c "[ \$(grep -c 'new settings are in force' '$LOG') = 4 ]"
chmod 640 "$R/in/$HELD/again.tif" && mv "$R/in/$HELD/again.tif" "$R/in/moved.tif" # as with give.mode = "0640"
"$TOOLS/small-scan" "PAGE 99" "$W/open.tif" && chmod 660 "$W/open.tif" && cp -p "$W/open.tif" "$R/.t" && mv "$R/.t" "$R/in/open.tif"
for f in moved open; do
	wait_for 60 test -s "$R/in/$ERROR/$f.tif.txt"
	like "$(cat "$R/in/$ERROR/$f.tif.txt")" sender-unproven "nobody is known to have dropped $f.tif, and nobody decides about it" || daemon_said
done
like "$(cat "$R/in/$ERROR/moved.tif.txt")" "daemon's own user" "which is said"

# A crash behind the decision: the ticket is not used twice.
settings "by = [ \"$me\" ];"
room_stop
is $? 0 "the daemon ends when told to"
t=$(decision again '{ "rule": "none" }')
room_start
wait_for 30 test -S "$R/control"
put "$R/in/last.ticket" "$t"
wait_for 60 test -s "$R/in/$DONE/again.pdf"
ok $? "after a restart a ticket decides about what was held before" || daemon_said
wait_for 30 sh -c "[ \$(ls '$R/state/spool'/*/ | grep -c '^[a-z0-9]\{26\}$') = 1 ]"
room_stop
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log") $(grep -c '^type release$' "$W/log") $(grep -c '^type reject$' "$W/log")" "4 6 13" \
    "each decision is on record once, and each ticket that was refused" || note "$(grep -A3 -E '^type (release|reject)' "$W/log")"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "all is proven" || note "$(cat "$W/out")"
finish
