#!/bin/bash
# A ticket beside a document: it counts when it is there in time and right, asks
# for nothing that the folder does not have, and gets an answer that a program can read.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-B
RULES='
  bottom : { when = { any = [ "NEVERTHERE" ]; }; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp";
             name = "{ticket.az}-{name}.pdf"; };
  all    : { when = "always"; place = { at = "top-left"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"bottom", "all"'
SCAN_LANGUAGES='"eng"'
FOLDER_EXTRA='ticket = "optional";'
INCOMPLETE=4s
settings() { # a small stamp with a field of the ticket, and a seal that this folder may not use
	room_settings
	sed -i 's#lines = \[.*\]; }; }; };#lines = [ "AZ {ticket.az}" ]; }; }; };#; s#seals : {#seals : { other : { tokens = [ "soft" ]; level = "B-B"; };#' "$R/sealroom.conf"
}
settings
n=0
paper() { n=$((n + 1)) && "$TOOLS/small-scan" "ANNA $n" "$W/$1"; }
ticket() { printf '%s' "$2" >"$R/in/.t" && mv "$R/in/.t" "$R/in/$1.ticket"; }
with() { paper "$1" && ticket "$1" "$2" && drop "$W/$1" "$1"; } # NAME TICKET
value() { python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v = v[k]
print(v)' "$1" "$2" 2>&1; }
error_is() { # NAME CODE SENTENCE
	wait_for 60 test -s "$R/in/$ERROR/$1.json"
	is "$(value "$R/in/$ERROR/$1.json" status) $(value "$R/in/$ERROR/$1.json" reason.code)" "refused $2" "$3" || daemon_said
}

room_start
wait_for 30 test -S "$R/control"
paper a.tif
ticket a.tif "{ \"v\": 1, \"sha256\": \"$(sha "$W/a.tif")\", \"reference\": \"AZ 1\", \"rule\": \"bottom\", \"seal\": \"stamp\", \"fields\": { \"az\": \"7B\" } }"
drop "$W/a.tif"
with b.tif '{ "v": 1, "name": "Bescheid.pdf" }'
with bad.tif '{ "v": 1, "refrence": "x" }'
with other.tif "{ \"v\": 1, \"sha256\": \"$(printf 0 | sha256sum | cut -d' ' -f1)\" }"
with right.tif '{ "v": 1, "seal": "other" }'
with hold.tif '{ "v": 1, "reference": "H", "hold": "Bitte erst ansehen" }'
paper plain.tif && drop "$W/plain.tif"
ticket lone.tif '{ "v": 1 }'
printf '{ "v": 1, "refe' >"$R/in/slow.tif.ticket" && paper slow.tif && drop "$W/slow.tif"

wait_for 60 test -s "$R/in/$DONE/7B-a.pdf.json"
ok $? "a document with a ticket is sealed, under the name that its fields make" || daemon_said
j=$R/in/$DONE/7B-a.pdf.json
is "$(value "$j" status) $(value "$j" reference) $(value "$j" fields.az) $(value "$j" rule) $(value "$j" file)" \
    "sealed AZ 1 7B bottom 7B-a.pdf" "its result has reference, fields, rule and name"
is "$(value "$j" source.sha256) $(value "$j" sealed.sha256)" "$(sha "$W/a.tif") $(sha "$R/in/$DONE/7B-a.pdf")" "and the hashes of both files"
cmp -s "$R/archive/$(value "$j" archive)/sealed.pdf" "$R/in/$DONE/7B-a.pdf"
ok $? "it says where it is archived"
like "$(value "$j" log.index)" '^[0-9]+$' "and where it is logged"
[ ! -e "$R/in/a.tif.ticket" ]
ok $? "the ticket is gone from the folder"
job=$R/archive/$(value "$j" archive)/job.json
is "$(python3 -c 'import hashlib, json, sys; t = json.load(open(sys.argv[1]))["ticket"]; print(hashlib.sha256(t["text"].encode()).hexdigest() == t["sha256"], t["owner_uid"])' "$job")" \
    "True $(id -u)" "its text is archived, byte for byte, with its owner"
! grep -q salt "$j"
ok $? "the salt that hides names is not given away"
like "$(cat "$LOG")" "ticket of user $(id -u), reference AZ%201" "who sent it and its reference are in the daemon's log"
like "$(text_of "$R/in/$DONE/7B-a.pdf")" 'AZ 7B' "its field stands in the stamp"
wait_for 60 test -s "$R/in/$DONE/Bescheid.pdf.json"
ok $? "a ticket can name the result" || daemon_said
is "$(value "$R/in/$DONE/Bescheid.pdf.json" rule)" all "and leave the rule to the folder"
wait_for 60 test -s "$R/in/$DONE/plain.pdf"
[ -s "$R/in/$DONE/plain.pdf" ] && [ ! -e "$R/in/$DONE/plain.pdf.json" ]
ok $? "a document without a ticket is sealed as ever, and has no result file" || daemon_said

error_is bad.tif ticket-invalid "a wrong ticket is refused with its document"
like "$(cat "$R/in/$ERROR/bad.tif.txt")" 'refrence: there is no such key; did you mean "reference"' "with the key, and the nearest known one"
cmp -s "$W/bad.tif" "$R/in/$ERROR/bad.tif" && [ "$(cat "$R/in/$ERROR/bad.tif.ticket")" = '{ "v": 1, "refrence": "x" }' ]
ok $? "document and ticket come back untouched"
error_is other.tif ticket-of-other-bytes "a ticket for other bytes is refused"
error_is right.tif ticket-exceeds-rights "a ticket that asks for a seal which the folder lacks is refused"
like "$(value "$R/in/$ERROR/right.tif.json" reason.text)" 'allowed: stamp' "and told which it has"
wait_for 60 test -s "$R/in/$HELD/hold.tif.json"
is "$(value "$R/in/$HELD/hold.tif.json" status) $(value "$R/in/$HELD/hold.tif.json" reason.code) $(value "$R/in/$HELD/hold.tif.json" reason.remark)" \
    "held held-by-ticket Bitte erst ansehen" "a ticket can ask that a person looks first" || daemon_said
wait_for 20 grep -qs . "$R/in/$HELD/hold.tif.ticket"
cmd release "$(value "$R/in/$HELD/hold.tif.json" job)" --again >"$W/out" 2>&1
wait_for 60 test -s "$R/in/$DONE/hold.pdf.json"
is "$(value "$R/in/$DONE/hold.pdf.json" reference)" H "and is sealed when one has" || note "$(cat "$W/out")"
wait_for 20 test ! -e "$R/in/$HELD/hold.tif"
is "$(find "$R/in/$HELD" -type f)" "" "nothing of it stays in held/"
error_is slow.tif ticket-invalid "a ticket that stays unfinished is waited for, and then wrong"
wait_for 30 test -s "$R/in/$ERROR/lone.tif.ticket.txt"
like "$(cat "$R/in/$ERROR/lone.tif.ticket.txt")" 'ticket-without-document' "a ticket without a document comes back by itself" || daemon_said
room_stop

# Required: the document waits for its ticket, and is refused without.
FOLDER_EXTRA='ticket = "required"; allow = [ "'$(id -u)'" ];'
settings
room_start
paper late.tif && drop "$W/late.tif"
paper never.tif && drop "$W/never.tif"
sleep 1.5
[ -e "$R/in/late.tif" ] && [ -z "$(ls "$R/state/spool/claimed")" ]
ok $? "a document waits for the ticket that it must have" || daemon_said
ticket late.tif '{ "v": 1, "reference": "late" }'
wait_for 60 test -s "$R/in/$DONE/late.pdf.json"
is "$(value "$R/in/$DONE/late.pdf.json" reference)" late "and is sealed with it" || daemon_said
wait_for 60 test -s "$R/in/$ERROR/never.tif.txt"
like "$(cat "$R/in/$ERROR/never.tif.txt")" 'ticket-missing' "another, for which none comes, is refused" || daemon_said
# What others may write shows nobody's name, document or ticket.
for f in open openticket; do paper $f.tif; done
printf '{ "v": 1 }' >"$W/ticket" && chmod 620 "$W/open.tif" && cp -p "$W/open.tif" "$R/.t"
ticket open.tif '{ "v": 1 }' && mv "$R/.t" "$R/in/open.tif"
chmod 602 "$W/ticket" && cp -p "$W/ticket" "$R/in/openticket.tif.ticket" && drop "$W/openticket.tif"
for f in open openticket; do
	wait_for 60 test -s "$R/in/$ERROR/$f.tif.txt"
	like "$(cat "$R/in/$ERROR/$f.tif.txt")" 'sender-unproven' "$f.tif: who sent it is not shown" || daemon_said
done
room_stop
is $? 0 "the daemon ends when told to"

# None, and not everybody.
FOLDER_EXTRA='allow = [ "@no-such-group", "no-such-user", "4242" ];'
settings
cmd check >"$W/out" 2>&1
[ $? != 0 ]
ok $? "check refuses people who are not there" || note "$(cat "$W/out")"
is "$(grep -c "'@no-such-group' is no user or @group" "$W/out") $(grep -c "'no-such-user' is no user or @group" "$W/out") $(grep -c "'4242'" "$W/out")" "1 1 0" \
    "and names them"
like "$(cat "$W/out")" 'people who share one account .* are one' "and says where owners tell nobody apart"
FOLDER_EXTRA='allow = [ "@4242", "4242" ];'
settings
paper mine.tif && drop "$W/mine.tif"
ticket x.tif '{ "v": 1 }'
room_once
is $? 0 "a folder that allows other people only comes to rest" || daemon_said
like "$(cat "$R/in/$ERROR/mine.tif.txt")" 'owner-not-allowed' "and takes nothing of ours"
FOLDER_EXTRA=''
settings
ticket x.tif '{ "v": 1 }'
room_once
like "$(cat "$R/in/$ERROR/"x*.txt)" 'ticket-not-accepted' "where tickets are none, one is refused" || note "$(ls "$R/in/$ERROR")"
is "$(find "$R/in" -maxdepth 1 -type f ! -name '.*')" "" "nothing is left in the folder"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "all is proven" || note "$(cat "$W/out")"

# The schema says the same as the daemon, told by another judge.
if python3 -c 'import jsonschema' 2>/dev/null; then
	mkdir "$W/t"
	python3 - "$W/t" <<-'PY'
	import json, sys
	hexa = "0123456789abcdef" * 4
	good = [{"v": 1}, {"v": 1, "sha256": hexa, "reference": "A", "rule": "r", "seal": "s", "name": "x.pdf", "hold": True, "fields": {"a": "b"}},
	        {"v": 1, "hold": "why"}, {"v": 1, "fields": {}}, {"v": 1, "reference": "ä" * 64}]
	def d(x, **more): return dict({"v": 1, "sha256": hexa, "decision": x}, **more)
	at = {"page": 2, "x": 20.5, "y": 30}
	good += [d({"again": True}), d({"reject": "a" * 199}), d({"rule": "r"}), d({"at": at}), d({"rule": "r", "at": at})]
	bad = [[], 1, {}, {"v": 2}, {"v": "1"}, {"v": 1, "x": 1}, {"v": 1, "sha256": hexa[1:]}, {"v": 1, "sha256": hexa.upper()},
	       {"v": 1, "reference": ""}, {"v": 1, "reference": "a\n"}, {"v": 1, "reference": "a" * 129}, {"v": 1, "rule": 1},
	       {"v": 1, "rule": "a" * 64}, {"v": 1, "seal": None}, {"v": 1, "name": "a/b"}, {"v": 1, "name": ".x"}, {"v": 1, "name": "a" * 181},
	       {"v": 1, "hold": False}, {"v": 1, "hold": ""}, {"v": 1, "hold": "a" * 201}, {"v": 1, "fields": []}, {"v": 1, "fields": {"A": "x"}},
	       {"v": 1, "fields": {"a": 1}}, {"v": 1, "fields": {"a": "x" * 201}}, {"v": 1, "fields": {chr(97 + i): "x" for i in range(17)}}]
	bad += [d({}), d([]), d({"again": False}), d({"again": True, "rule": "r"}), d({"again": True, "reject": "x"}), d({"rule": "r", "reject": "x"}),
	        d({"reject": "a" * 200}), d({"at": {}}), d({"at": dict(at, page=0)}), d({"at": dict(at, x=-1)}), d({"at": dict(at, y=10001)}),
	        d({"at": dict(at, z=1)}), d({"x": 1}), d({"again": True}, rule="r"), d({"again": True}, hold=True), {"v": 1, "decision": {"again": True}}]
	names = ["Brief.pdf", "Console.pdf", "com.pdf", "com10.pdf", "null", "x.y.pdf", "Müller & Söhne.pdf", "x", "a" * 180, "COM 1.pdf"]
	good += [{"v": 1, "name": n} for n in names]
	names = ["CON.pdf", "con", "con .pdf", "Nul.x.pdf", "aux", "PRN.", "conin$.pdf", "COM1.pdf", "lpt9", "com¹.pdf", "LPT³.txt", "x.pdf.", "x ", ".", "..",
	         " x.pdf", "x?.pdf", "x|y", "x\u202efdp.exe", "x\u200b.pdf", "x\ufeff.pdf", "x\u2028", "x\ufffd.pdf"]
	bad += [{"v": 1, "name": n} for n in names]
	hidden = ["\u202e", "\u061c", "\u200b", "\u200f", "\u2028", "\u2066", "\u2069", "\ufeff", "\ufff9", "\ufffd", "\u007f", "\u0085"]
	bad += [dict({"v": 1}, **k) for h in hidden for k in ({"reference": "a" + h}, {"hold": h}, {"fields": {"a": h + "b"}})]
	bad += [d({"reject": "x\u202e"})]
	for i, t in enumerate(good + bad):
	    json.dump(t, open("%s/%03d" % (sys.argv[1], i), "w"), ensure_ascii=False)
	PY
	"$BIN/tests/t_ticket" "$W"/t/* | sed 's/^[^g].*/bad/' >"$W/ours"
	python3 - "$TOP/agent/ticket.schema.json" "$W"/t/* >"$W/theirs" <<-'PY'
	import json, jsonschema, sys
	schema = json.load(open(sys.argv[1]))
	jsonschema.Draft7Validator.check_schema(schema)
	for f in sys.argv[2:]:
	    print("good" if jsonschema.Draft7Validator(schema).is_valid(json.load(open(f))) else "bad")
	PY
	is "$(paste -sd' ' "$W/ours")" "$(paste -sd' ' "$W/theirs")" "schema and daemon judge every ticket alike"
	is "$(grep -c good "$W/theirs")" 20 "and not all alike"
	# What it can not say, as the page has it; never the other way round.
	mkdir "$W/u"
	python3 - "$W/u" <<-'PY'
	import sys
	hexa = "0123456789abcdef" * 4
	beyond = ['{"v": 1.0}', '{"v": 1, "reference": "%s"}' % ("ä" * 65), '{"v": 1, "rule": "%s"}' % ("ä" * 32), '{"v": 1, "name": "%s"}' % ("ä" * 91),
	          '{"v": 1, "v": 1}', '{"v": 1, "hold": "a\U000e0041"}', '{"v": 1, "hold": true}' + " " * 65536,
	          '{"v": 1, "sha256": "%s", "decision": {"at": {"page": 2.0, "x": 1, "y": 1}}}' % hexa]
	for i, t in enumerate(beyond):
	    open("%s/%03d" % (sys.argv[1], i), "w").write(t)
	PY
	is "$("$BIN/tests/t_ticket" "$W"/u/* | grep -c '^good')" 0 "what the schema can not say is refused by the daemon"
	for says in '1.0' 'bytes count' 'is there twice' 'tag character' 'too long'; do
		grep -q "$says" "$TOP/agent/sealroom-ticket.5"
		ok $? "and told in the page: $says"
	done
else
	[ "${CI-}" = true ] && ok 1 "python3-jsonschema is installed (make deps)"
	skip "schema and daemon judge every ticket alike" "python3-jsonschema is not installed: make deps"
fi
finish
