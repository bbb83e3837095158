#!/bin/bash
# What people do while the daemon runs: look, pause, resume, retry, withdraw, declare void.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-T
RULES='
  brief : { when = { any = [ "Siegel der Behörde" ]; typos = 1; };
            place = { near = "Siegel der Behörde"; typos = 1; nth = "only"; side = "below"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; };
  all   : { when = "always"; place = { at = "top-left"; size = [ "50mm", "20mm" ]; margin = [ "12mm", "14mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"brief", "all"'
FOLDER_EXTRA='log_names = "plain";'
TSA_EXTRA='timeout = "1s";'
room_settings
q() { cmd --json "$@" | python3 -c "import json, sys; d = json.load(sys.stdin); print($Q)"; }
jobs_named() { Q="' '.join(j['id'] for j in d['jobs'] if j['name'] == '$1')" q jobs; }
log_has() { "$TOOLS/logread" "$R/archive" | grep -c "^type $1\$"; }
cat >"$W/ask" <<'PY'
import json, socket, sys
def dial():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    return s
def ask(s, line):
    s.sendall(line)
    got = b""
    while not got.endswith(b"\n"):
        more = s.recv(65536)
        if not more:
            return None
        got += more
    return json.loads(got)
PY

# --- nobody there -------------------------------------------------------------------------------
for v in "jobs" "jobs 0123456789" "retry all" "pause" "resume" "withdraw 0123456789" "void 0123456789 --reason x" "release 0123456789 --again" \
    "events" "submit $SCANS/en-letter.tif --folder post" "try $SCANS/en-letter.tif --folder post --daemon"; do
	# shellcheck disable=SC2086
	cmd $v >"$W/out" 2>&1
	is $? 69 "without a daemon '$v' says so"
done

# --- pause, over a restart ----------------------------------------------------------------------
room_start
wait_for 30 test -S "$R/control"
cmd status --json >"$W/status.json"
is "$(python3 -c 'import json, sys
d, page = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
print(*(k for k in {**d, **d["folders"][0], **d["tokens"][0], **d["peers"][0], **d["log"], **d["space"]} if "\"%s\"" % k not in page))' \
    "$W/status.json" "$TOP/agent/sealroom-control.7")" "" "every key of the status is in sealroom-control(7)"
cmd pause post --reason "the scanner is mended" >"$W/out" 2>&1
is $? 0 "a folder can be paused" || note "$(cat "$W/out")"
cmd pause nowhere >"$W/out" 2>&1
is $? 64 "one that does not exist can not"
room_stop
drop "$SCANS/en-letter.tif" first.tif
room_start
wait_for 30 test -S "$R/control"
sees_file() { Q='d["folders"][0]["later"]' q status | grep -qx 1; }
wait_for 30 sees_file
ok $? "after a restart it still is: the file is seen, and put off" || daemon_said
[ -f "$R/in/first.tif" ] && [ -z "$(cmd jobs | grep -v 'no jobs')" ]
ok $? "and stays where it is"
like "$(cmd status)" 'post +since .*the scanner is mended' "status says so, with the reason"

# --- the TSA is away: a job that waits ------------------------------------------------------------
cmd resume >"$W/out" 2>&1
is $? 0 "and it can be resumed"
waits() { Q="'|'.join(j['state'] + j.get('why', '') for j in d['jobs'])" q jobs | grep -q 'signedtsa-'; }
wait_for 60 waits
ok $? "a job waits for its time stamp" || daemon_said
first=$(jobs_named first.tif)
cmd withdraw "$first" >"$W/out" 2>&1
is $? 64 "it can not be withdrawn any more: it is signed"
like "$(cat "$W/out")" 'void' "and the answer says what can be done"
like "$(cmd jobs "${first:0:12}")" "^now: +signed, waiting: tsa-" "one job, by the beginning of its number"
tsa_start
cmd retry all >"$W/out" 2>&1
is $? 0 "what waits can be tried at once" || note "$(cat "$W/out")"
wait_for 60 test -s "$R/in/$DONE/first.pdf"
ok $? "and comes to its end" || daemon_said
wait_for 20 sh -c "! '$BIN/sealroom' --conf '$R/sealroom.conf' jobs | grep -q '$first'"
like "$(cmd jobs "$first")" 'log:.*' "what has ended is found in the log"
Q='d["sealed"], d["void"], [x["type"] for x in d["entries"]], "now" in d'
is "$(q jobs "$first")" "True False ['job'] False" "with its entry"

# --- void ----------------------------------------------------------------------------------------
before=$(cd "$R/archive" && find . -type f ! -path './evidence/*' -exec sha256sum {} + | sort)
cmd void "$first" >"$W/out" 2>&1
is $? 64 "void needs a reason"
cmd void "${first:0:10}" --reason "issued twice" >"$W/out" 2>&1
is $? 0 "what is sealed can be declared void" || note "$(cat "$W/out")"
cmd void "$first" --reason "once more" >"$W/out" 2>&1
like "$(cat "$W/out")" 'before' "once is enough"
is "$(log_has void)" 1 "the log has it, once"
is "$(q jobs "$first")" "True True ['job', 'void'] False" "and the job shows it"
is "$(cd "$R/archive" && find . -type f ! -path './evidence/*' -exec sha256sum {} + | sort)" "$before" "not a byte of the archived document changed"
ls "$R"/state/events/new/*-void-"$first".json >"$W/out" 2>&1
ok $? "and an event says it"
cmd void 01234567 --reason x >"$W/out" 2>&1
is $? 64 "an unknown job can not be void"

# --- withdraw ------------------------------------------------------------------------------------
drop "$SCANS/de-zweimal.tif" zwei.tif
wait_for 60 test -s "$R/in/$HELD/zwei.tif.txt"
ok $? "a letter is held" || daemon_said
zwei=$(jobs_named zwei.tif)
withdrawn() { cmd withdraw "$zwei" --reason "wrong folder, sorry"; }
wait_for 20 withdrawn
ok $? "a held letter can be withdrawn" || note "$(withdrawn 2>&1)"
wait_for 30 test -s "$R/in/$ERROR/zwei.tif.txt"
ok $? "and comes back" || daemon_said
like "$(cat "$R/in/$ERROR/zwei.tif.txt")" 'wrong folder, sorry' "with the words of who did it"
[ "$(sha "$R/in/$ERROR/zwei.tif")" = "$(sha "$SCANS/de-zweimal.tif")" ] && ! ls "$R/in/$HELD"/zwei* >/dev/null 2>&1
ok $? "whole, and from nowhere else"
wait_for 20 test -e "$R/state/quarantine/$zwei/source"
ok $? "its bytes are kept"
is "$(log_has withdraw)" 1 "the log has the withdrawal"
is "$(log_has reject)" 0 "and no refusal"
Q='d["entries"][-1]["type"], d["entries"][-1]["text"], d["entries"][-1]["uid"]'
is "$(q jobs "$zwei")" "withdraw wrong folder, sorry $(id -u)" "who, and why"
cmd void "$zwei" --reason x >"$W/out" 2>&1
is $? 64 "what was never sealed can not be void"

# A job that waits for its token: withdrawn, and killed before it could act on it.
room_stop
OLD=$KEY KEY=no-such-key
room_settings
room_start
wait_for 30 test -S "$R/control"
drop "$SCANS/en-letter.tif" third.tif
waits() { Q="'|'.join(j['state'] + j.get('why', '') for j in d['jobs'])" q jobs | grep -q 'renderedtoken-'; }
wait_for 60 waits
ok $? "a job waits for its token" || daemon_said
third=$(jobs_named third.tif)
cmd withdraw "$third" >"$W/out" 2>&1
is $? 0 "it can be withdrawn" || note "$(cat "$W/out")"
kill -KILL "$ROOM_PID"
wait "$ROOM_PID" 2>/dev/null
KEY=$OLD
room_settings
room_once
is $? 0 "a kill right after that, and a start with the token back" || daemon_said
[ -s "$R/in/$ERROR/third.tif.txt" ] && ! [ -e "$R/in/$DONE/third.pdf" ]
ok $? "make no seal of it"
is "$(log_has withdraw)" 2 "one entry more"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "the audit is content" || note "$(cat "$W/out")"
like "$(cat "$W/out")" '^1 documents were declared void' "and tells of the void"

# --- the socket under bad treatment ----------------------------------------------------------------
room_start
wait_for 30 test -S "$R/control"
python3 - "$R/control" <<PY >"$W/out" 2>&1
exec(open("$W/ask").read())
bad = [b"\n", b"null\n", b"[]\n", b"{}\n", b'{"op":1}\n', b'{"op":"status","op":"jobs"}\n', b"\xff\xfe\n", b"\0\n",
       b'{"op":"void","job":"0123456789"}\n', b'{"op":"job","job":{}}\n', b'{"op":"pause","folder":"../.."}\n',
       b'{"op":"release","job":"01234567","at":{"page":-1,"x_mpt":0,"y_mpt":0}}\n', b'{"op":"retry","job":7}\n',
       b'{"op":"job","job":"' + b"z" * 4000 + b'"}\n', b"[" * 60000 + b"\n"]
s = dial()
for line in bad:
    a = ask(s, line)
    assert a is not None and "error" in a, (line[:40], a)
assert "jobs" in ask(s, b'{"op":"jobs"}\n')

t = dial()
try:
    t.sendall(b"y" * 70000)
    assert t.recv(1) == b""
except (BrokenPipeError, ConnectionResetError):
    pass
many = [dial() for _ in range(100)]
for c in many:
    c.sendall(b'{"op":"sta')
for c in many:
    c.sendall(b'tus"}\n{"op":"jo')
for c in many:
    buf = b""
    while not buf.endswith(b"\n"):
        buf += c.recv(65536)
    assert "version" in json.loads(buf)
    c.close()
assert "jobs" in ask(s, b'{"op":"jobs"}\n')
PY
is "$(cat "$W/out")" "" "mistakes, half messages, floods and a hundred clients at once are answered or hung up on"
is "$(stat -c %a "$R/control")" 660 "the socket is for owner and group"
room_stop
is $? 0 "the daemon ends when told to"

# --- follow --------------------------------------------------------------------------------------
room_start
wait_for 30 test -S "$R/control"
"$BIN/sealroom" --conf "$R/sealroom.conf" --json status --follow >"$W/follow" 2>&1 &
follower=$!
PIDS+=("$follower")
looks() { [ "$(python3 -c '
import json, sys
d, t, n = json.JSONDecoder(), open(sys.argv[1]).read().strip(), 0
while t:
    o, at = d.raw_decode(t)
    n, t = n + (o["state"] in ("starting", "running")), t[at:].strip()
print(n)' "$W/follow" 2>/dev/null || echo 0)" -ge 3 ]; }
wait_for 30 looks
ok $? "status --follow looks again and again" || note "$(head -n 20 "$W/follow")"
kill "$follower"
room_stop

# --- rights ----------------------------------------------------------------------------------------
EXTRA='operators = [ "@no-such-group" ]; metrics = "/nowhere/sealroom.prom";'
room_settings
cmd check >"$W/out" 2>&1
like "$(cat "$W/out")" 'operators: .*no-such-group' "check names an operator that does not exist"
like "$(cat "$W/out")" "metrics: '/nowhere'" "and a directory that metrics can not be written to"
room_once --wait 1
is $? 78 "an operator that does not exist is a mistake in the settings"
like "$(tail -n 3 "$LOG")" 'no-such-group' "and named"
finish
