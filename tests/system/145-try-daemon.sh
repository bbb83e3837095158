#!/bin/bash
# limit: 240
# The running daemon tells what `sealroom try` tells, with its own settings, and leaves no trace of it.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-B
SETTLE=30s
RULES='
  rechnung : { when  = { all = [ "Rechnung" ];  typos = 1; };
               find  = { nummer = { after = [ "Rechnung Nr." ];  take = "[A-Z0-9-]+"; }; };
               place = { near = "Freigabe";  nth = "last";  side = "above";  size = [ "40mm", "20mm" ]; };
               seal  = "stamp";  name = "{find.nummer}.pdf"; };
  brief    : { when  = { any = [ "Siegel der Behörde" ];  typos = 1; };
               place = { near = "Siegel der Behörde";  typos = 1;  nth = "only";  side = "right";  size = [ "40mm", "20mm" ]; };
               seal  = "stamp"; };'
FOLDER_RULES='"rechnung", "brief"'
room_settings
room_start
wait_for 60 sh -c "'$BIN/sealroom' --conf '$R/sealroom.conf' --json status | grep -q '\"running\"'"
ok $? "the daemon runs" || daemon_said
traces() { # every file of the daemon and of the folder, with its size and time; but what lives by the clock
	find "$R/state" "$R/archive" "$R/in" -type f ! -name .sealroom-agent ! -name '*.prom' ! -name Status.txt -printf '%P %s %T@\n' | sort
}
asked() { # FILE: both answers, in $W/here and $W/there; both statuses
	cmd --json try "$1" --folder post >"$W/here" 2>"$W/here.err"
	local a=$?
	cmd --json try "$1" --folder post --daemon >"$W/there" 2>"$W/there.err"
	echo "$a $?"
}
published() { # the checkpoint over the entries of the start
	[ "$(sed -n 2p "$R/archive/evidence/log/checkpoint")" = "$(cmd --json status | python3 -c 'import json, sys; print(json.load(sys.stdin)["log"]["size"])')" ]
}
wait_for 60 published
ok $? "the log's start is published" || daemon_said
traces >"$W/before"
while read -r f status what; do
	is "$(asked "$SCANS/$f")" "$status $status" "$f: the statuses are one" || note "$(cat "$W/there.err")"
	like "$(cat "$W/there")" "$what" "$f: $what"
	cmp -s "$W/here" "$W/there"
	ok $? "$f: to the byte what the command says" || note "$(diff "$W/here" "$W/there")"
	cmp -s "$W/here.err" "$W/there.err"
	ok $? "$f: and complains alike"
done <<-LIST
	de-rechnung.jpg 0 RE-20261107.pdf
	de-zweimal.tif 65 anchor-ambiguous
	de-abgebrochen.tif 65 document-incomplete
LIST
: >"$W/empty.tif"
is "$(asked "$W/empty.tif") $(cmp "$W/here" "$W/there")" "65 65 " "an empty file: the same from both" || note "$(cat "$W/there")"
traces | diff "$W/before" - >"$W/changed"
is "$(cat "$W/changed")" "" "no file came, went or changed: spool, log, archive, folder"

# --- whose settings ------------------------------------------------------------------------------
sed -i 's/name = "{find.nummer}.pdf"/name = "other-{find.nummer}.pdf"/' "$R/sealroom.conf"
there() { cmd try "$SCANS/de-rechnung.jpg" --folder post --daemon 2>"$W/there.err"; }
like "$(there)" ' as RE-20261107.pdf$' "the daemon's settings count, not those of a file it has not read"
kill -HUP "$ROOM_PID"
reloaded() { there | grep -q ' as other-RE-20261107.pdf$'; }
wait_for 60 reloaded
ok $? "until it has read them" || daemon_said

# --- what is refused -------------------------------------------------------------------------------
python3 - "$R/control" "$SCANS" <<'PY' >"$W/out" 2>&1
import json, os, socket, sys, time
def start(doc, **k):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(120)
    s.connect(sys.argv[1])
    fds = [] if doc is None else [os.open(f"{sys.argv[2]}/{doc}", os.O_RDONLY) if isinstance(doc, str) else doc]
    socket.send_fds(s, [json.dumps({"op": "try", "folder": "post", "name": "x.tif", **k}).encode() + b"\n"], fds)
    return s
def end(s):
    return json.loads(s.makefile().readline())
assert end(start(None))["error"] == "usage"
assert end(start(os.pipe()[0]))["error"] == "usage"
assert end(start("de-rechnung.jpg", folder="nowhere"))["error"] == "usage"
for bad in "a/b", "", "x" * 256, 7, None:
    assert end(start("de-rechnung.jpg", name=bad))["error"] == "usage", bad
first = start("de-rechnung.jpg")
time.sleep(.1)
second = end(start("de-rechnung.jpg"))
assert second["error"] == "not-now" and "another" in second["text"], second
a = end(first)
assert a["result"]["rule"] == "rechnung" and a["file"] == "x.tif", a
gone = start("de-zweimal.tif")
time.sleep(.1)
gone.close()
time.sleep(.1)
assert end(start("de-rechnung.jpg"))["result"]["rule"] == "rechnung"
PY
is "$(cat "$W/out")" "" "what is no document, folder or name is refused; one at a time, and who hangs up makes room"

is "$(find "$R/state/spool" -mindepth 2 | wc -l)" 0 "no job came of it, and nothing is left in the spool"
is "$(find "$R/in" -type f ! -name Status.txt ! -name .sealroom-agent | wc -l)" 0 "nor in the folder"
cmd --json status | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(len(s["jobs"]), sorted(k for k in s["tasks"] if k in ("compose", "field")))' >"$W/out"
is "$(cat "$W/out")" "0 []" "nothing was composed or sealed"
room_stop
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "the audit is content" || note "$(cat "$W/out")"
finish
