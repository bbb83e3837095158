#!/bin/bash
# The same once more: the same reference and bytes get the same result again, over a
# restart too; other bytes under it are refused; equal bytes are recognised and named.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "top-left"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
SCAN_LANGUAGES='"eng"'
settings() { # DUPLICATES
	FOLDER_EXTRA="ticket = \"optional\"; duplicates = \"$1\";"
	room_settings
	sed -i 's#lines = \[.*\]; }; }; };#lines = [ "AZ" ]; }; }; };#' "$R/sealroom.conf"
}
settings seal
"$TOOLS/small-scan" 'ANNA 1' "$W/one"
"$TOOLS/small-scan" 'ANNA 2' "$W/two"
with() { printf '%s' "$3" >"$R/in/$2.ticket" && drop "$W/$1" "$2"; } # FILE NAME TICKET
value() { python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v = v[k]
print(v)' "$1" "$2" 2>&1; }
entries() { "$TOOLS/logread" "$R/archive" | grep -c "^type $1\$"; }

with one a.tif '{ "v": 1, "reference": "R1" }'
room_once
is "$(value "$R/in/$DONE/a.pdf.json" reference)" R1 "a document is sealed under its reference" || daemon_said
first=$(value "$R/in/$DONE/a.pdf.json" job)
with one a.tif '{ "v": 1, "reference": "R1" }'
room_once
is $? 0 "it comes again, after a restart" || daemon_said
cmp -s "$R/in/$DONE/a.pdf" "$R/in/$DONE/a (2).pdf"
ok $? "and gets the very same result again" || note "$(ls "$R/in/$DONE" "$R/in/$ERROR")"
j="$R/in/$DONE/a (2).pdf.json"
is "$(value "$j" status) $(value "$j" repeats) $(value "$j" log.index)" "sealed $first $(value "$R/in/$DONE/a.pdf.json" log.index)" \
    "which says whose it is, and where that is logged"
is "$(entries job) $(entries repeat)" "1 1" "there is one seal, and the log says repeat"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 1 "and one in the archive"
like "$("$TOOLS/logread" "$R/archive")" "^text the result of job $first\$" "by its number"
is "$(find "$R/state/spool" "$R/state/quarantine" -mindepth 1 -name source | wc -l)" 0 "nothing of it is left in the spool"
with two other.tif '{ "v": 1, "reference": "R1" }'
room_once
is "$(value "$R/in/$ERROR/other.tif.json" reason.code)" reference-used "other bytes under that reference are refused" || daemon_said
like "$(tr '\r\n' '  ' <"$R/in/$ERROR/other.tif.txt" | tr -s ' ')" "belongs to another document already: job $first" "with the job that has it"
# Both at once: one seal, two results.
with two b.tif '{ "v": 1, "reference": "R2" }'
with two c.tif '{ "v": 1, "reference": "R2" }'
room_once
is $? 0 "the same twice at once comes to rest" || daemon_said
cmp -s "$R/in/$DONE/b.pdf" "$R/in/$DONE/c.pdf"
ok $? "as one seal and two results" || note "$(ls "$R/in/$DONE")"
is "$(entries job) $(entries repeat)" "2 2" "in the log, too"

# The same bytes without a reference.
drop "$W/one" d.tif
room_once
[ -s "$R/in/$DONE/d.pdf" ] && ! cmp -s "$R/in/$DONE/d.pdf" "$R/in/$DONE/a.pdf"
ok $? "duplicates = seal: the same bytes are sealed once more" || daemon_said
like "$(cat "$LOG")" "the same bytes as job $first; sealed once more" "which is said"
is "$(value "$(find "$R/archive" -name job.json -newer "$R/in/$DONE/c.pdf" | head -1)" same_as)" "$first" "and stands in job.json"
settings refuse
drop "$W/one" e.tif
room_once
like "$(cat "$R/in/$ERROR/e.tif.txt")" "duplicate-refused: the same bytes as job $first" "duplicates = refuse: refused, with that job's number" || daemon_said
settings hold
drop "$W/one" f.tif
room_start
wait_for 30 test -S "$R/control"
wait_for 60 test -s "$R/in/$HELD/f.tif.txt"
like "$(cat "$R/in/$HELD/f.tif.txt")" "duplicate: the same bytes as job $first" "duplicates = hold: held, with that job's number" || daemon_said
f=$(ls "$R/state/spool/held")
for _ in $(seq 50); do cmd release "$f" --again >"$W/out" 2>&1 && break; sleep 0.2; done
wait_for 60 test -s "$R/in/$DONE/f.pdf"
ok $? "and sealed when a person says so" || { daemon_said; note "$(cat "$W/out")"; }
room_stop
is $? 0 "the daemon ends when told to"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "all is proven" || note "$(cat "$W/out")"

# A sender that paused for too long: what may be the whole of a document comes behind a part of it.
settings seal
: >"$LOG"
room_start
drop "$W/one" page.tif
wait_for 60 test -s "$R/in/$DONE/page.pdf"
drop "$W/two" page.tif
wait_for 60 grep -q 'page.tif was taken within ten minutes before, too, as job [0-9a-z]*: possibly continued' "$LOG"
ok $? "a name that comes again soon with other bytes is told as possibly continued" || daemon_said
room_stop
finish
