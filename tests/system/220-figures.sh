#!/bin/bash
# What an admin and the people of a folder are told without asking: figures,
# alarms once when they begin and once when they end, Status.txt, events, the journal.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
STATUS_FILE=true
FOLDER_EXTRA='language = "de";'
DONE=fertig
RULES='
  brief : { when = { any = [ "Siegel der Behörde" ]; typos = 1; };
            place = { near = "Siegel der Behörde"; typos = 1; nth = "only"; side = "below"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; };
  all   : { when = "always"; place = { at = "top-left"; size = [ "50mm", "20mm" ]; margin = [ "12mm", "14mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"brief", "all"'
TSA_EXTRA='timeout = "1s";'
EXTRA="metrics = \"$R/sealroom.prom\"; tsa_max_wait = \"1s\"; alarms : { certificate = \"3650d\"; held = \"0s\"; space = \"1KiB\"; };"
room_settings
figure() { "$TOOLS/promcheck" "$R/sealroom.prom" "$@" 2>&1; }
figure_is() { [ "$(figure "$1")" = "$2" ]; }
raised() { cmd status --json | python3 -c 'import json, sys; print(" ".join(sorted(a["alarm"] + ":" + a["subject"] for a in json.load(sys.stdin)["alarms"])))'; }
is_raised() { raised | grep -qw -- "$1"; }
not_raised() { ! is_raised "$1"; }
alarm_lines() { grep -c "alarm $1: $2" "$LOG"; }

# --- the journal, with fields ------------------------------------------------------------------
cat >"$W/journal" <<'PY'
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
out = open(sys.argv[2], "a", buffering=1)
while True:
    d = dict(l.split("=", 1) for l in s.recv(65536).decode().rstrip("\n").split("\n"))
    out.write(json.dumps(d) + "\n")
PY
python3 "$W/journal" "$R/j" "$W/journal.out" 2>"$W/journal.err" &
PIDS+=("$!")
wait_for 10 test -S "$R/j"
journal_start() {
	(
		stream=$(stat -L -c %d:%i "$LOG" 2>/dev/null || { : >>"$LOG"; stat -L -c %d:%i "$LOG"; })
		export SEALROOM_JOURNAL=$R/j JOURNAL_STREAM=$stream
		exec "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null
	) &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
}
journal_start
wait_for 30 test -S "$R/control"
drop "$SCANS/en-letter.tif"

# --- an alarm: the TSA is away -------------------------------------------------------------------
wait_for 60 is_raised tsa-away:test
ok $? "a TSA that does not answer is an alarm" || { note "$(raised)"; daemon_said; }
has_stand() { grep -q "Zeitstempeldienst" "$R/in/Stand.txt"; }
wait_for 40 has_stand
ok $? "Stand.txt tells the people of the folder" || note "$(cat "$R/in/Stand.txt")"
python3 - "$R/in/Stand.txt" <<'PY'
import sys
t = open(sys.argv[1], "rb").read()
t.decode("utf-8")
sys.exit(t.count(b"\n") != t.count(b"\r\n") or b"en-letter.tif" not in t or t[:3] == b"\xef\xbb\xbf")
PY
ok $? "in UTF-8, with the line ends of Windows, and with the document's name"
is "$(stat -c %a "$R/in/Stand.txt")" 660 "readable for those who read results"
figure_is 'sealroom_alarm{alarm="tsa-away",subject="test"}' 1 || wait_for 30 figure_is 'sealroom_alarm{alarm="tsa-away",subject="test"}' 1
ok $? "the metrics have the alarm" || note "$(figure)"
is "$(figure 'sealroom_tsa_up{tsa="test"}')" 0 "and that the TSA is not up"
wait_for 10 is_raised certificate-expires:soft
ok $? "a certificate that ends soon is one" || note "$(raised)"
tsa_start
cmd retry all >/dev/null
wait_for 60 test -s "$R/in/$DONE/en-letter.pdf"
wait_for 30 not_raised tsa-away:test
ok $? "the alarm ends when it answers" || note "$(raised)"
wait_for 30 grep -q 'Es wartet nichts' "$R/in/Stand.txt"
ok $? "Stand.txt says that nothing waits" || note "$(cat "$R/in/Stand.txt")"
lines() { python3 -c 'import json, sys
for l in open(sys.argv[1]):
    d = json.loads(l)
    if all(d.get(k) == v for k, v in (a.split("=", 1) for a in sys.argv[2:])): print(d["MESSAGE"])' "$W/journal.out" "$@" | wc -l; }
is "$(lines SEALROOM_REASON=tsa-away PRIORITY=1)" 1 "the journal heard once that it began"
is "$(lines SEALROOM_REASON=tsa-away PRIORITY=5)" 1 "and once that it ended"
job=$(sed -n 's/.*"SEALROOM_JOB": "\([^"]*\)".*/\1/p' "$W/journal.out" | head -n 1)
story() { python3 -c 'import json, sys
for l in open(sys.argv[1]):
    d = json.loads(l)
    if d.get("SEALROOM_JOB") == sys.argv[2] and d.get("SEALROOM_FOLDER") == "post" and d["SYSLOG_IDENTIFIER"] == "sealroomd":
        print(d["MESSAGE"].replace(sys.argv[2], "JOB"), d.get("SEALROOM_REASON", "-"), len(d.get("MESSAGE_ID", "")))' "$W/journal.out" "$1" | uniq; }
told=$(story "$job" | sed 's/tsa-unreachable: .* tsa-unreachable/tsa-unreachable: WHY tsa-unreachable/' | uniq)
is "$told" "job JOB: taken from folder post - 32
job JOB (signed) waits: tsa-unreachable: WHY tsa-unreachable 0
job JOB done - 32" "the job's lines tell all of its story, with number, folder and reason"
is "$(cat "$W/journal.err")" "" "all of it was readable"

# --- events -----------------------------------------------------------------------------------------
is "$(find "$R/state/events/new" -name '*-alarm-*' ! -name '*-alarm-end-*' -exec cat {} + | grep -c '"tsa-away"')" 1 "an event file says that it began"
is "$(find "$R/state/events/new" -name '*-alarm-end-*' -exec cat {} + | grep -c '"tsa-away"')" 1 "another that it ended"
"$BIN/sealroom" --conf "$R/sealroom.conf" events --follow >"$W/events" 2>&1 &
follower=$!
PIDS+=("$follower")
wait_for 10 grep -q '"tsa-away"' "$W/events"
ok $? "events --follow begins with what was"

# --- held too long ------------------------------------------------------------------------------------
drop "$SCANS/de-zweimal.tif" zwei.tif
wait_for 60 is_raised held-long:post
ok $? "a document that waits for a decision too long is an alarm" || { note "$(raised)"; daemon_said; }
wait_for 20 grep -q 'warten auf eine Entscheidung' "$R/in/Stand.txt"
ok $? "Stand.txt names it" || note "$(cat "$R/in/Stand.txt")"
wait_for 10 grep -q '"event": *"hold"' "$W/events"
ok $? "the follower hears of it" || note "$(cat "$W/events")"
python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$W/events"
ok $? "one JSON object a line"
kill "$follower"

# --- figures --------------------------------------------------------------------------------------------
wait_for 30 figure_is 'sealroom_jobs{folder="post",state="held"}' 1
ok $? "the metrics count held jobs" || note "$(figure)"
is "$(figure 'sealroom_jobs_ended_total{folder="post",outcome="sealed"}' 'sealroom_jobs_ended_total{folder="post",outcome="held"}' \
    'sealroom_job_seconds_count{folder="post"}' 'sealroom_token_ready{token="soft"}' 'sealroom_tsa_up{tsa="test"}' \
    'sealroom_folder_up{folder="post"}' 'sealroom_running' | tr '\n' ' ')" "1 1 1 1 1 1 1 " "and what ended"
pages=$(figure sealroom_pages_total)
[ "${pages%.*}" -ge 2 ]
ok $? "pages"
python3 - "$(figure 'sealroom_certificate_days_left{token="soft"}' 'sealroom_disk_free_bytes{place="spool"}' 'sealroom_log_entries' 'sealroom_tsa_requests_total{tsa="test",outcome="failed"}')" <<'PY'
import sys
days, disk, log, failed = map(float, sys.argv[1].split())
sys.exit(not (0 < days < 3650 and disk > 1e6 and log >= 4 and failed >= 1))
PY
ok $? "certificate, disk, log, TSA"
is "$(figure 'sealroom_program_up{program="sealroom-scan"}' 'sealroom_program_up{program="sealroom-verify"}' \
    'sealroom_program_up{program="sealroom-fetch"}' 'sealroom_program_up{program="log-key"}' | tr '\n' ' ')" "1 1 1 1 " "all programs are up"
is "$(figure 'sealroom_token_signatures_total{token="soft"}' 'sealroom_tsa_seconds_count{tsa="test"}' \
    'sealroom_tsa_requests_total{tsa="test",outcome="answered"}' 'sealroom_evidence_records' | tr '\n' ' ')" "1 1 1 0 " \
    "one letter: one signature, one time stamp; no evidence record without evidence.tsa"
python3 - "$(figure 'sealroom_tsa_seconds_sum{tsa="test"}' 'sealroom_tsa_seconds_bucket{tsa="test",le="1"}')" <<'PY'
import sys
took, within = map(float, sys.argv[1].split())
sys.exit(not (0 < took < 1 and within == 1)) # tsa.test.timeout is 1 s
PY
ok $? "and how long that took" || note "$(figure 'sealroom_tsa_seconds_sum{tsa="test"}')"
log_is() { [ "$(figure sealroom_log_entries sealroom_log_signed_entries | tr '\n' ' ')" = \
    "$("$TOOLS/logread" "$R/archive" --count) $(sed -n 2p "$R/archive/evidence/log/checkpoint") " ]; }
wait_for 30 log_is
ok $? "the log's entries, and those under its checkpoint" || note "$(figure sealroom_log_entries sealroom_log_signed_entries)"
cmd pause post --reason "a drill" >/dev/null
: >"$R/in/.hidden"
ln -s /etc/passwd "$R/in/link.tif"
mkdir "$R/in/directory"
cp "$SCANS/en-letter.tif" "$R/in/waits.tif"
files() { figure "sealroom_folder_paused{folder=\"post\"}" "sealroom_folder_files{folder=\"post\",is=\"ignored\"}" \
    "sealroom_folder_files{folder=\"post\",is=\"odd\"}" "sealroom_folder_files{folder=\"post\",is=\"later\"}" | tr '\n' ' '; }
files_are() { [ "$(files)" = "$1" ]; }
was=$(files)
wait_for 30 files_are "1 1 2 1 "
ok $? "a paused folder, and what lies in it" || note "$was / $(files)"
rm -r "$R/in/.hidden" "$R/in/link.tif" "$R/in/directory" "$R/in/waits.tif"
cmd resume post >/dev/null
wait_for 30 files_are "0 0 0 0 "
ok $? "it goes on, and they are gone" || note "$(files)"
waited=$(figure sealroom_oldest_held_seconds)
since=$(stat -c %Y "$(echo "$R"/state/spool/held/*/question)")
now=$(stat -c %Y "$R/sealroom.prom")
[ $((now - since - waited)) -ge -1 ] && [ $((now - since - waited)) -le 1 ] && [ "$waited" -ge 10 ]
ok $? "how long the held document has waited" || note "$waited, $((now - since))"
for twin in 's/^# TYPE sealroom_jobs gauge/# TYPE sealroom_jobs gouge/' 's/state="held"/state=held/' 's/state="held"/state="signed"/' \
    '/^# HELP sealroom_pages_total/d' 's/^\(sealroom_job_seconds_bucket.*le="+Inf".*\) [0-9]*$/\1 99/'; do
	sed "$twin" "$R/sealroom.prom" >"$W/twin"
	"$TOOLS/promcheck" "$W/twin" >/dev/null 2>&1
	is $? 1 "the judge refuses a twin: $twin"
done
is "$(find "$R" -maxdepth 1 -name 'sealroom.prom*' | wc -l)" 1 "nothing but the file lies there"

# --- a restart says nothing again, and changes nothing -------------------------------------------------------
stand=$(stat -c '%i %Y' "$R/in/Stand.txt")
room_stop
is "$(figure sealroom_running) $(figure 'sealroom_alarm{alarm="held-long",subject="post"}') $(figure 'sealroom_jobs{folder="post",state="held"}')" "0 1 1" \
    "after its end the metrics say that it does not run, and the rest as it was"
written=$(figure sealroom_written_time_seconds | python3 -c 'print(int(float(input())))')
[ $((written - $(stat -c %Y "$R/sealroom.prom"))) -ge -1 ] && [ $((written - $(stat -c %Y "$R/sealroom.prom"))) -le 0 ]
ok $? "and when that was" || note "$written $(stat -c %Y "$R/sealroom.prom")"
before=$(lines SEALROOM_REASON=held-long)
journal_start
wait_for 30 is_raised held-long:post
ok $? "after a restart the alarm still stands" || note "$(raised)"
wait_for 30 figure_is sealroom_running 1
sleep 6 # two looks at everything
is "$before $(lines SEALROOM_REASON=held-long)" "1 1" "and is not said again"
is "$(stat -c '%i %Y' "$R/in/Stand.txt")" "$stand" "Stand.txt was not written again"
mv "$R/in" "$R/in.away"
wait_for 60 is_raised folder-away:post
ok $? "a folder that is gone is an alarm" || note "$(raised)"
mv "$R/in.away" "$R/in"
wait_for 60 not_raised folder-away:post
ok $? "until it is back" || note "$(raised)"
said() { # sentence of the line, fields it must have
	local text=$1
	shift
	python3 -c 'import json, sys
found = [d for d in map(json.loads, open(sys.argv[1])) if sys.argv[2] in d["MESSAGE"]]
sys.exit(not found or any(d.get(k) != v for d in found for k, v in (a.split("=", 1) for a in sys.argv[3:])))' "$W/journal.out" "$text" "$@"
}
said "nothing is taken from it" SEALROOM_FOLDER=post && said "folder post is there again" SEALROOM_FOLDER=post
ok $? "the lines about a folder carry its name"
cp "$SCANS/en-letter.tif" "$R/in/again.tif"
wait_for 60 test -s "$R/in/$DONE/again.pdf"
said "the same bytes as job $job" SEALROOM_FOLDER=post "SEALROOM_JOB=$(sed -n 's/.*job \([0-9a-z]*\): the same bytes.*/\1/p' "$W/journal.out")"
ok $? "and those about a job its number, whatever they say"
kill -9 "$(pgrep -P "$ROOM_PID" -f -- '--token soft')"
wait_for 20 said "token soft: child-lost" SEALROOM_TOKEN=soft SEALROOM_REASON=child-lost
ok $? "and those about a token that" || note "$(grep token "$W/journal.out")"
cmd void "$job" --reason "a drill" >/dev/null
python3 - "$TOP/agent/sealroomd.8" "$R"/state/events/new/* >"$W/keys" <<'PY'
import json, re, sys
page = open(sys.argv[1]).read()
page = page[page.index(".Ss Events"):page.index(".Ss Alarms")]
events = [json.load(open(f)) for f in sys.argv[2:]]
print(*sorted({e["event"] for e in events} & {"job", "hold", "void", "alarm", "alarm-end"}))
print(*sorted({k for e in events for k in e if "(dq%s\\(dq" % k not in page} | {e["event"] for e in events if not re.search(r"\.It Ic .*\b%s\b" % e["event"], page)}))
PY
is "$(paste -sd/ "$W/keys")" "alarm alarm-end hold job void/" "every type of event and every key in it is in sealroomd(8)"
room_stop
is $? 0 "the daemon ends when told to"

# --- the catalogue ------------------------------------------------------------------------------------------
ids=$(sed -n 's/^[ \t]*X([A-Z_]*, *"\([0-9a-f]\{32\}\)").*/\1/p' "$TOP/agent/journal.h" | sort)
is "$(printf '%s\n' "$ids" | uniq -d)" "" "no id stands for two things"
is "$(sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$TOP/systemd/sealroom.catalog" | sort)" "$ids" "the English catalogue explains every id"
is "$(sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$TOP/systemd/sealroom.de.catalog" | sort)" "$ids" "the German one too"
[ "$(printf '%s\n' "$ids" | wc -l)" -ge 15 ]
ok $? "there are some"
if command -v journalctl >/dev/null; then
	mkdir -p "$W/root/usr/lib/systemd/catalog" "$W/root/var/lib/systemd/catalog"
	cp "$TOP"/systemd/sealroom*.catalog "$W/root/usr/lib/systemd/catalog/"
	journalctl --update-catalog --root="$W/root" >"$W/out" 2>&1
	is "$? $(cat "$W/out")" "0 " "journalctl takes both"
	shown=$(journalctl --list-catalog --root="$W/root" 2>/dev/null | grep -c sealroom)
	is "$shown" "$(printf '%s\n' "$ids" | wc -l)" "and lists them"
	sed 's/^Subject:/Subjekt/' "$TOP/systemd/sealroom.catalog" | sed '0,/^-- /s/^-- .*/-- nonsense/' >"$W/root/usr/lib/systemd/catalog/sealroom.catalog"
	journalctl --update-catalog --root="$W/root" >"$W/out" 2>&1
	[ $? != 0 ] || [ -s "$W/out" ]
	ok $? "but no nonsense"
else
	skip "journalctl takes the catalogues" "journalctl is not installed"
fi
finish
