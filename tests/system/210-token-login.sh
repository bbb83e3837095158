#!/bin/bash
# A PIN that only a person has: asked for at a terminal, handed through, kept nowhere.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-B
room_settings
RIGHT=$(cat "$PIN_FILE")
sed -i 's/pin = "file:[^"]*"/pin = "login"/' "$R/sealroom.conf"
rm -f "$PIN_FILE"
token() { cmd status --json | python3 -c "import json, sys; t = json.load(sys.stdin)['tokens'][0]; print(t['ready'], t.get('why', ''))"; }
is_token() { [ "$(token)" = "$1" ]; }
# login PIN-AS-TYPED: at a terminal of its own; what it showed is in $W/shown
login() {
	python3 - "$W/shown" "$1" "$BIN/sealroom" --conf "$R/sealroom.conf" token login soft <<'PY'
import os, pty, sys, time
shown, typed, argv = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, tty = pty.fork()
if pid == 0:
    os.execv(argv[0], argv)
out = b""
while b": " not in out:
    out += os.read(tty, 4096)
os.write(tty, typed.encode() + b"\r")
while True:
    try:
        more = os.read(tty, 4096)
    except OSError:
        break
    if not more:
        break
    out += more
open(shown, "wb").write(out)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
}

room_start
wait_for 30 test -S "$R/control"
wait_for 30 is_token "False pin-unreadable"
ok $? "the token waits for a person" || note "$(token)"
like "$(cmd status)" 'sealroom token login soft' "and the status says what to do"
drop "$SCANS/en-letter.tif"
login "$(printf '12\003')"
is $? 64 "who changes his mind at the prompt has tried nothing"
printf '%s\n' "$RIGHT" | cmd token login nowhere --stdin >"$W/out" 2>&1
is $? 64 "a token that does not exist takes no PIN"
login "0815wrong"
is $? 77 "a wrong PIN is refused" || note "$(cat "$W/shown")"
like "$(cat "$W/shown")" 'pin-refused' "and the answer says so"
login "$RIGHT"
is $? 77 "after that none is tried, not even the right one"
wait_for 30 is_token "False pin-stopped" || wait_for 1 is_token "False pin-refused"
ok $? "until a person clears it" || note "$(token)"
cmd token clear soft >"$W/out" 2>&1
is $? 0 "clear lets one login in" || note "$(cat "$W/out")"
wait_for 30 is_token "False pin-unreadable"
ok $? "which waits for its PIN again" || note "$(token)"
login "x$(printf '\025')${RIGHT}7$(printf '\177')"
is $? 0 "the right PIN, with mistakes put right at the prompt, is taken" || { note "$(cat "$W/shown")"; daemon_said; }
! grep -aqF "$RIGHT" "$W/shown"
ok $? "the terminal does not show it"
is "$(token)" "True " "the token is ready"
wait_for 60 test -s "$R/in/$DONE/en-letter.pdf"
ok $? "and the letter that waited is sealed" || daemon_said
printf '%s\n' "$RIGHT" | cmd token login soft --stdin >"$W/out" 2>&1
is $? 64 "who is logged in needs no PIN"

# Nothing kept it.  The judge first finds a planted one.
grep -raqF "$RIGHT" "$R/state" "$R/archive" "$R/in" "$LOG"
is $? 1 "the PIN is in no file of the daemon"
tr '\0' '\n' </proc/"$ROOM_PID"/cmdline >"$W/proc"
for p in "$ROOM_PID" $(pgrep -P "$ROOM_PID"); do tr '\0' '\n' <"/proc/$p/cmdline" >>"$W/proc"; tr '\0' '\n' <"/proc/$p/environ" >>"$W/proc" 2>/dev/null; done
[ "$(wc -l <"$W/proc")" -gt 4 ] && ! grep -qF "$RIGHT" "$W/proc"
ok $? "nor in the arguments of a process"
echo "x${RIGHT}x" >"$R/state/planted"
grep -raqF "$RIGHT" "$R/state"
is $? 0 "(where it would be found)"
rm "$R/state/planted"

# A token process that dies asks again; a message that is no PIN harms nobody.
python3 - "$R/control" <<'PY' >"$W/out" 2>&1
import json, os, socket, sys
def ask(fds, **k):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    socket.send_fds(s, [json.dumps(k).encode() + b"\n"], fds)
    return json.loads(s.recv(65536))
r, w = os.pipe()
null = os.open("/dev/null", os.O_RDONLY)
assert ask([null], op="token-login", token="soft")["error"] == "usage"
assert ask([r], op="token-login", token="../x")["error"] == "usage"
assert ask([r], op="token-login")["error"] == "usage"
PY
is "$(cat "$W/out")" "" "what is no pipe, or for no token, is refused"
kill -KILL "$(pgrep -P "$ROOM_PID" -f -- '--token soft')"
wait_for 30 is_token "False pin-unreadable"
ok $? "a token whose process died waits for its PIN again" || note "$(token)"
room_stop
is $? 0 "the daemon ends when told to, also then"
finish
