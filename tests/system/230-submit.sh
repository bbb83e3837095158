#!/bin/bash
# A document handed in through the socket: the same way as one in the folder, once.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom
room_new
LEVEL=B-B
SETTLE=30s
room_settings
submit() { cmd submit "$@" 2>"$W/err"; }
room_start
wait_for 30 test -S "$R/control"
submitted() { first=$(submit "$SCANS/en-letter.tif" --folder post); }
wait_for 30 submitted
like "$first" '^[0-9a-z]{26}$' "the answer is the job's number" || note "$(cat "$W/err")"
[ -d "$R/state/spool" ] && cmd jobs "$first" >"$W/out" 2>&1
is $? 0 "which is known at once" || note "$(cat "$W/out")"
again=$(submit "$SCANS/en-letter.tif" --folder post)
like "$again" "^$first .*again" "the same file again is the same job" || note "$(cat "$W/err")"
wait_for 60 test -s "$R/in/$DONE/en-letter.pdf"
ok $? "the result appears in the folder, without any settling" || daemon_said
wait_for 20 sh -c "! '$BIN/sealroom' --conf '$R/sealroom.conf' jobs | grep -q '$first'"
is "$(submit "$SCANS/en-letter.tif" --folder post | cut -c1-26)" "$first" "also when that job has ended"
[ -s "$SCANS/en-letter.tif" ] && is "$(find "$R/in" -name '*.pdf' | wc -l)" 1 "there is one result, and the file is where it was"
second=$(submit "$SCANS/en-letter.tif" --folder post --name other.tif)
[ -n "$second" ] && [ "$second" != "$first" ]
ok $? "under another name it is another" || note "$(cat "$W/err")"
wait_for 60 test -s "$R/in/$DONE/other.pdf"
ok $? "with a result of its own" || daemon_said
is "$(cmd --json jobs "$second" | python3 -c 'import json, sys; print([x["uid"] for x in json.load(sys.stdin)["entries"]])')" "[$(id -u)]" \
    "the log says who handed it in"

# --- what is refused ---------------------------------------------------------------------------
head -c 20000 "$SCANS/en-letter.tif" >"$W/half.tif"
submit "$W/half.tif" --folder post >"$W/out"
is $? 65 "half a document is not taken" || note "$(cat "$W/out" "$W/err")"
: >"$W/empty.tif"
submit "$W/empty.tif" --folder post >"$W/out"
is $? 65 "nor an empty one"
submit "$W" --folder post >"$W/out"
is $? 64 "nor a directory"
submit "$W/half.tif" --folder nowhere >"$W/out"
is $? 64 "nor for a folder that does not exist"
for n in ../x.tif .hidden x.part work Status.txt ""; do
	submit "$SCANS/en-letter.tif" --folder post --name "$n" >"$W/out"
	is $? 64 "nor under the name '$n'"
done
echo "no document at all" >"$W/odd.txt"
odd=$(submit "$W/odd.txt" --folder post)
wait_for 60 test -s "$R/in/$ERROR/odd.txt.txt"
ok $? "what is no document is refused in the folder, like any other" || { note "$odd"; daemon_said; }
cmd pause post >/dev/null
submit "$SCANS/en-letter.tif" --folder post --name paused.tif >"$W/out"
is $? 75 "a paused folder takes nothing this way either"
cmd resume >/dev/null

python3 - "$R/control" "$SCANS/en-letter.tif" <<'PY' >"$W/out" 2>&1
import json, os, socket, sys, tempfile
def ask(fds, **k):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    socket.send_fds(s, [json.dumps(dict(k, op="submit", folder="post")).encode() + b"\n"], fds)
    return json.loads(s.recv(65536))
data = open(sys.argv[2], "rb").read()
r, w = os.pipe()
null = os.open("/dev/zero", os.O_RDONLY)
path = os.open(sys.argv[2], os.O_PATH)
fd, name = tempfile.mkstemp()
os.write(fd, data)
wo = os.open(name, os.O_WRONLY)
for bad in r, null, path, wo:
    a = ask([bad], name="bad.tif")
    assert a.get("error") == "usage", (bad, a)
os.close(wo)
a = ask([fd], name="open.tif")
assert "error" in a and "writing" in a["text"], a
os.close(fd)
for bad in "a/b", "x" * 256, 7, None:
    assert ask([os.open(name, os.O_RDONLY)], name=bad).get("error") == "usage", bad
import fcntl
m = os.memfd_create("doc", os.MFD_ALLOW_SEALING)
os.write(m, data)
fcntl.fcntl(m, 1033, 0x0002 | 0x0004 | 0x0008)  # F_ADD_SEALS: shrink, grow, write
a = ask([m], name="mem.tif")
assert len(a.get("job", "")) == 26, a
os.unlink(name)
PY
is "$(cat "$W/out")" "" "pipes, devices, paths, writers and odd names are refused; a sealed memfd is taken"
wait_for 60 test -s "$R/in/$DONE/mem.pdf"
ok $? "and sealed" || daemon_said
is "$(find "$R/state/spool/incoming" -mindepth 1 | wc -l)" 0 "nothing is left of what was refused"

# The number that was answered is a job, whatever happens next.
last=$(submit "$SCANS/en-letter.tif" --folder post --name last.tif)
kill -KILL "$ROOM_PID"
wait "$ROOM_PID" 2>/dev/null
SETTLE=300ms
room_settings
room_once
is $? 0 "a kill right after the answer, and a start" || daemon_said
[ -n "$last" ] && [ -s "$R/in/$DONE/last.pdf" ]
ok $? "lose nothing"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "the audit is content" || note "$(cat "$W/out")"
finish
