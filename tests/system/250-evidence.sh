#!/bin/bash
# Evidence records (RFC 4998): documents and log get a time stamp together, an auditor has
# a record of each for programs that are not ours, a time stamp is renewed before its
# certificate ends; whatever was changed is found.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom
room_new
LEVEL=B-B # no document waits for the TSA
EVIDENCE_EXTRA='tsa = "test"; batch = "2s"; renew_before = "180d";'
RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };'
SETTLE=100ms
EXTRA="metrics = \"$W/metrics\";"
room_settings
tsa_start
ER=$R/archive/evidence/er
ROOT_OF='s/^root sha256://p'
evidence() { cmd status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["evidence"].get(sys.argv[1], ""))' "$1"; }
covered() { [ "$(evidence covered)" -ge "$1" ]; }
requests() { python3 -c 'import json, sys, urllib.request as u
print(json.load(u.urlopen(sys.argv[1] + "/stats"))["tsa"])' "${TSA_URL%/tsa}"; }
job_of() { cmd --json evidence list | python3 -c 'import json, sys
print([x["job"] for x in json.load(sys.stdin) if x["type"] == "job"][int(sys.argv[1])])' "$1"; }
files_of() { echo "$R"/archive/*/*/*/"$1"/original.tif "$R"/archive/*/*/*/"$1"/sealed.pdf; }
entry_of() { # type, which of them
	"$TOOLS/logread" "$R/archive" | awk -v t="type $1" -v n="$2" '/^== / { x = "" } { x = x $0 "\n" } $0 == t { hit = ++k == n }
		/^software / && hit { printf "%s", x; exit }'
}
signed() { # is every entry under a checkpoint?
	cmd --json evidence head | python3 -c 'import json, sys; h = json.load(sys.stdin); sys.exit(h["size"] != h["entries"])'
}
audit_says() { # wanted status, sentence, ERE
	cmd audit >"$W/audit.out" 2>&1
	is $? "$1" "audit: $2" || note "$(cat "$W/audit.out")"
	[ -z "${3-}" ] || like "$(cat "$W/audit.out")" "$3" "and says what"
}
script() { # the one of the archive's own README
	sed -n '/^#!\/bin\/sh/,/^# end of check/p' "$R/archive/README.txt" >"$W/check.sh"
	(cd "$R/archive" && sh "$W/check.sh") >"$W/script.out" 2>&1
}
flip() { # FILE OFFSET: one bit
	chmod u+w "$1" && python3 -c 'import sys
f = open(sys.argv[1], "r+b"); n = int(sys.argv[2]); f.seek(n, 2 if n < 0 else 0); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 1]))' "$1" "$2"
}

# --- a batch ------------------------------------------------------------------------------
tsa_fault tsa=down
room_start
wait_for 30 signed
"$TOOLS/small-scan" "ONE" "$W/one.tif"
for i in 1 2 3 4 5; do { cat "$W/one.tif"; echo "$i"; } >"$W/$i.tif"; done
for i in 1 2 3 4 5; do drop "$W/$i.tif"; done
wait_for 60 eval '[ $(ls "$R/in/$DONE"/*.pdf | wc -l) = 5 ]'
ok $? "documents are sealed while the time-stamping authority is away" || daemon_said
wait_for 20 eval '[ "$(evidence why)" = tsa-unreachable ]'
ok $? "the batch waits, and status says for what" || note "$(cmd status --json)"
[ -z "$(ls -A "$ER")" ]
ok $? "nothing half is left in the archive"
wait_for 20 signed
tsa_fault tsa=wrongimprint
wait_for 30 eval '[ "$(evidence why)" = tsa-answer-refused ]'
ok $? "a time stamp over something else is refused" || note "$(cmd status --json)"
asked=$(requests)
tsa_fault tsa=slow:3
wait_for 40 eval '[ "$(requests)" -gt "$asked" ]'
cp -a "$R" "$W/before" # while it is being asked: a log without the batch
size=$(cmd --json evidence head | python3 -c 'import json, sys; print(json.load(sys.stdin)["size"])')
wait_for 60 covered "$size"
ok $? "it is closed when the authority is back" || note "$(cmd status --json)"
tsa_fault clear
is "$(entry_of batch 1 | grep -c '^record 1$')" 1 "the log has its entry"
like "$(cat "$ER/1/tree")" '^groups 6$' "five documents and the log"
root=$(entry_of batch 1 | sed -n "$ROOT_OF")
openssl ts -verify -digest "$root" -in "$ER/1/ts" -token_in -CAfile "$R/pki/root.pem" >"$W/ts.out" 2>&1
ok $? "openssl ts: the token is about the root, and carries its path" || note "$(cat "$W/ts.out")"
openssl ts -verify -digest "${root%?}$([ "${root: -1}" = 0 ] && echo 1 || echo 0)" -in "$ER/1/ts" -token_in -CAfile "$R/pki/root.pem" >"$W/ts.out" 2>&1
[ $? != 0 ]
ok $? "and about no other"

# --- records for other programs -------------------------------------------------------------
bc() { "$TOOLS/evidence" "$R/pki/root.pem" "$@" >"$W/bc.out" 2>"$W/bc.err"; }
for i in 0 2 4; do
	id=$(job_of $i)
	# shellcheck disable=SC2046 # no blanks in there
	cmd evidence export "$id" >"$W/$i.er" && cmd evidence verify "$W/$i.er" $(files_of "$id") >"$W/verify.out" 2>&1
	is $? 0 "the record of document $i is proven by ours" || note "$(cat "$W/verify.out")"
done
cmd evidence export "$(job_of 0)" --out "$W/again.er" && cmp -s "$W/0.er" "$W/again.er"
ok $? "made again it has the same bytes"
bc "$W/0.er" "$W/0.er"
judge=$?
if [ $judge = 77 ]; then
	skip "Bouncy Castle verifies the records" "$(cat "$W/bc.err")"
else
	is $judge 1 "Bouncy Castle: a file that it is not about is refused"
	for i in 0 2 4; do
		# shellcheck disable=SC2046
		bc "$W/$i.er" $(files_of "$(job_of $i)")
		is $? 0 "Bouncy Castle: original and sealed file of document $i" || note "$(cat "$W/bc.out" "$W/bc.err")"
	done
	# shellcheck disable=SC2046
	bc "$W/0.er" $(files_of "$(job_of 2)")
	is $? 1 "Bouncy Castle: the record of another document is refused"
fi
# shellcheck disable=SC2046
cmd evidence verify "$W/0.er" $(files_of "$(job_of 2)") >"$W/verify.out" 2>&1
is $? 1 "ours refuses the record of another document, too"
cmd evidence verify --trust "$R/pki/other-root.pem" "$W/0.er" "$(files_of "$(job_of 0)" | cut -d' ' -f2)" >"$W/verify.out" 2>&1
is $? 2 "with roots of somebody else nobody can tell"
cmd evidence verify --trust "$R/pki/root.pem" "$W/0.er" "$(files_of "$(job_of 0)" | cut -d' ' -f2)" >"$W/verify.out" 2>&1
is $? 0 "one file of a document is enough, without settings"
like "$(cat "$W/verify.out")" 'covers 1 more' "and it is said that it covers more"
twins=0 held=0
for at in 30 60 90 130 200 700 -5 -100; do
	cp "$W/0.er" "$W/twin.er" && flip "$W/twin.er" "$at"
	# shellcheck disable=SC2046
	cmd evidence verify "$W/twin.er" $(files_of "$(job_of 0)") >"$W/verify.out" 2>&1 && held=$((held + 1))
	twins=$((twins + 1))
done
is "$twins $held" "8 0" "a flipped bit in list, token or signature: never proven"

# --- audit -------------------------------------------------------------------------------------
audit_says 0 "all is proven" 'evidence records .* time stamps of [1-9]'
script
is $? 0 "the script of the archive's README says so, too" || note "$(cat "$W/script.out")"

# --- renewal --------------------------------------------------------------------------------------
due=$(evidence due)
[ -n "$due" ]
ok $? "status says when it is to be renewed: $due"
like "$(cmd evidence renew)" 'nothing is due' "before that nothing is"
sed -i 's/renew_before = "[^"]*"/renew_before = "900d"/; s/metrics = /alarms : { renewal = "0s"; }; metrics = /' "$R/sealroom.conf"
kill -HUP "$ROOM_PID"
raised() { cmd status --json | python3 -c 'import json, sys; sys.exit("renewal-due" not in [a["alarm"] for a in json.load(sys.stdin)["alarms"]])'; }
wait_for 40 raised
ok $? "what is due and not done is an alarm" || note "$(cmd status --json)"
cmd evidence renew >"$W/renew.out" 2>&1
[ $? != 0 ] && [ -z "$(entry_of renewal 1)" ] && ! ls "$ER"/.*.tmp 2>/dev/null
ok $? "an authority whose certificate ends no later renews nothing" || note "$(cat "$W/renew.out")"
like "$(cat "$W/renew.out")" 'ends no later' "and that is said"
cp "$R/sealroom.conf" "$W/conf"
sed -i '/^tsa :/s#/root.pem#/other-root.pem#' "$R/sealroom.conf"
kill -HUP "$ROOM_PID"
wait_for 20 eval 'cmd evidence renew 2>&1 | grep -q "can be proven"'
ok $? "what can not be proven any more is not renewed" || daemon_said
cp "$W/conf" "$R/sealroom.conf"
kill -HUP "$ROOM_PID"
tsa_fault tsa=later
{ cat "$W/one.tif"; echo 6; } >"$W/6.tif"
drop "$W/6.tif"
wait_for 60 eval '[ -e "$R/in/$DONE/6.pdf" ]'
wait_for 30 signed && wait_for 30 eval 'cmd evidence export "$(job_of 5)" --out "$W/5.er"'
ok $? "another batch is closed meanwhile" || daemon_said
renew=$(sed -n 's/^ExecStart=//p' "$TOP/systemd/sealroom-renew.service" | sed "s#/usr/bin/sealroom#$BIN/sealroom --conf $R/sealroom.conf#")
$renew >"$W/renew.out" 2>&1
is $? 0 "a later one renews, by the command of sealroom-renew.service" || note "$(cat "$W/renew.out")"
like "$(cat "$W/renew.out")" '^[1-9][0-9]* records renewed with one time stamp' "what is due"
wait_for 30 eval '! raised'
ok $? "the alarm is over"
is "$(entry_of renewal 1 | sed -n 's/^groups //p')" "$(cut -d' ' -f1 "$W/renew.out")" "the log has an entry of it"
wait_for 30 grep -q '^sealroom_evidence_renewal_due_seconds 2' "$W/metrics"
ok $? "and metrics the next date" || note "$(grep evidence "$W/metrics")"
id=$(job_of 0)
cmd evidence export "$id" >"$W/renewed.er"
! cmp -s "$W/0.er" "$W/renewed.er"
ok $? "the record of a document is longer now"
# shellcheck disable=SC2046
cmd evidence verify "$W/renewed.er" $(files_of "$id") >"$W/verify.out" 2>&1
is $? 0 "and proven" || note "$(cat "$W/verify.out")"
is "$(grep -c '^  stamped' "$W/verify.out")" 2 "by two time stamps"
if [ $judge != 77 ]; then
	# shellcheck disable=SC2046
	bc "$W/renewed.er" $(files_of "$id")
	is "$? $(cat "$W/bc.out")" "0 good 2" "Bouncy Castle finds both" || note "$(cat "$W/bc.err")"
fi
# The token that is renewed: its signature's last bytes lie before the second ArchiveTimeStamp.
python3 - "$W/renewed.er" "$ER/1/ts" "$W/twin.er" <<'PY'
import sys
er, ts = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
at = er.index(ts) + len(ts) - 3
open(sys.argv[3], "wb").write(er[:at] + bytes([er[at] ^ 1]) + er[at + 1:])
PY
# shellcheck disable=SC2046
cmd evidence verify "$W/twin.er" $(files_of "$id") >"$W/verify.out" 2>&1
is $? 1 "a bit of the time stamp that was renewed: disproven"
if [ $judge != 77 ]; then
	# shellcheck disable=SC2046
	bc "$W/twin.er" $(files_of "$id")
	is $? 1 "by Bouncy Castle, too"
fi
cmd evidence export --out "$W/log.er"
last=$(cmd evidence list | sed -n 's/.* batch .* er\/\([0-9]*\) .*/\1/p' | tail -n 1)
at=$(sed -n 's/^log \([0-9]*\) .*/\1/p' "$ER/$last/tree")
cmd evidence verify "$W/log.er" "$R/archive/evidence/checkpoints/$at" >"$W/verify.out" 2>&1
is $? 0 "the log itself has a record" || note "$(cat "$W/verify.out")"
room_stop
is $? 0 "the daemon ends"
is "$("$TOOLS/promcheck" "$W/metrics" sealroom_evidence_records)" "$(find "$ER" -mindepth 1 -maxdepth 1 -type d | wc -l)" \
    "the metrics count the records there are"
audit_says 0 "all is proven" 'with 1 renewals'
script
is $? 0 "also for the script" || note "$(cat "$W/script.out")"

# --- tampering ---------------------------------------------------------------------------------------
cp -a "$R/archive" "$W/good"
tamper() { # sentence, command in er/, ERE of audit
	(cd "$ER" && eval "$2") || bail "tampering: $1"
	audit_says 1 "$1" "$3"
	script && ok 1 "the script misses: $1"
	rm -rf "$R/archive" && cp -a "$W/good" "$R/archive"
}
tamper "a bit of a token" 'flip 1/ts -40' 'er/1/ts'
tamper "a line of a tree gone" 'chmod u+w 1/tree && sed -i "/^log /d" 1/tree' 'er/1/tree'
tamper "a time stamp removed" 'rm -rf 1' 'er/1/'
tamper "two batches exchanged" 'mv 1 x && mv 2 1 && mv x 2' 'er/1/'
tamper "a renewal removed" 'rm -rf "$(entry_of renewal 1 | sed -n "s/^record //p")"' 'er/'
cp -r "$ER/1" "$ER/9"
audit_says 2 "a directory that the log does not name" 'er/9 is not named'
rm -rf "$ER/9"

# --- a run that died before the entry ------------------------------------------------------------------
cp -a "$ER/1" "$W/er1"
mv "$R" "$W/first" && mv "$W/before" "$R"
rm -f "$R/control"
asked=$(requests)
[ ! -e "$ER/1" ] && cp -a "$W/er1" "$ER/1" && mkdir "$ER/.2.tmp" && touch "$ER/.2.tmp/tree"
ok $? "a room as such a run leaves it"
sed -i 's/batch = "2s"/batch = "30d"/' "$R/sealroom.conf"
room_start
wait_for 30 covered "$size"
ok $? "the batch that was written is entered" || daemon_said
is "$(requests)" "$asked" "and nobody asked again"
cmp -s "$W/er1/ts" "$ER/1/ts" && cmp -s "$W/er1/tree" "$ER/1/tree"
ok $? "with the same bytes"
room_stop
cp -a "$ER/1" "$ER/2" # of another log, as after a restore: not what this one would make
sed -i 's/batch = "30d"/batch = "1s"/' "$R/sealroom.conf"
room_start
wait_for 30 eval '[ "$(entry_of batch 2 | sed -n "s/^record //p")" = 3 ]'
ok $? "a directory of another log is left alone, the next number taken" || daemon_said
cmp -s "$W/er1/ts" "$ER/2/ts"
ok $? "and not touched"
room_stop
audit_says 2 "tells of it" 'er/2 is not named'
rm -rf "$ER/2"
audit_says 0 "and without it all is proven"

# --- a run that died before the entry of a renewal -------------------------------------------------------
sed -i 's/batch = "1s"/batch = "30d"/; s/renew_before = "[^"]*"/renew_before = "900d"/' "$R/sealroom.conf"
cp -a "$R" "$W/before"
tsa_fault tsa=later
room_start
wait_for 30 signed
cmd evidence renew >"$W/renew.out" 2>&1
is $? 0 "here, too, a renewal" || note "$(cat "$W/renew.out")"
room_stop
n=$(entry_of renewal 1 | sed -n 's/^record //p')
mv "$R" "$W/second" && mv "$W/before" "$R" && cp -a "$W/second/archive/evidence/er/$n" "$ER/$n"
ok $? "a room as a run leaves it that died behind writing it"
asked=$(requests)
room_start
wait_for 30 eval '[ "$(entry_of renewal 1 | sed -n "s/^record //p")" = "$n" ]'
ok $? "the renewal is entered" || daemon_said
is "$(requests)" "$asked" "and nobody asked again"
like "$(evidence due)" '^20[34]' "all is renewed"
room_stop
audit_says 0 "all is proven" 'with 1 renewals'
finish
