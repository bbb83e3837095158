#!/bin/bash
# The production layout: core, key, log key and network as units of their own, started together by
# the commands of systemd/*.service, with their sockets and behind their system call filters.
# Whoever goes away is waited for; nobody comes in who is not named in the settings.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
ME=$(id -u)
EXTRA="peers : { start = \"connect\"; socket = \"$R/run/peers.sock\"; seal_user = \"$ME\"; log_user = \"$ME\"; fetch_user = \"$ME\"; };"
LEVEL=B-T SCAN_LANGUAGES='"deu"'
export WATCHDOG=15 # told every 5 s
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || bail "a scan can be made"
sed -i "s#$R/control#$R/run/control.sock#" "$R/sealroom.conf"
mkdir "$R/run"
tsa_start

. "$(dirname "$0")/../units.bash"
said() { units_said; }
status_has() { cmd --json status | python3 -c "import json, sys
s = json.load(sys.stdin)
sys.exit(not ($1))"; }
if command -v systemd-analyze >/dev/null; then
	ok 0 "each runs behind its unit's system call filter"
elif [ "${CI-}" = true ]; then
	bail "systemd-analyze is installed (make deps)"
else
	skip "each runs behind its unit's system call filter" "systemd-analyze is not installed: make deps"
fi

# --- keys and network come first, and wait -------------------------------------------------
unit_start sealroom-seal@.service soft
unit_start sealroom-seal@.service log
unit_start sealroom-fetch.service
for n in sealroom-seal@soft sealroom-seal@log sealroom-fetch; do
	wait_for 30 told "$n" '^STATUS=waits for sealroomd to listen at .*/run/peers.sock$'
	ok $? "$n waits for the core, and says so" || said
	told "$n" '^READY=1$'
	ok $? "$n counts as started meanwhile"
done
drop "$W/letter.tif" first.tif
unit_start sealroomd.service
wait_for 90 test -s "$R/in/$DONE/first.pdf"
ok $? "with the core there a letter is sealed and time-stamped" || said
told sealroomd '^READY=1$'
ok $? "the core said that it is ready"
for n in sealroomd sealroom-seal@soft sealroom-seal@log sealroom-fetch; do
	wait_for 60 told "$n" '^WATCHDOG=1$'
	ok $? "$n feeds the watchdog" || said
	is "$(grep -c '^start' "$W/$n.log")" 1 "$n was started once"
done
judge_ours "$R/in/$DONE/first.pdf"
ok $? "the letter's seal is what it should be" || note "$(cat "$W/verify.out")"
is "$(stat -c %a "$R/run/peers.sock")" 666 "whoever knocks is judged by the kernel's word, not by a file mode"
for n in sealroom-seal@soft sealroom-seal@log sealroom-fetch; do
	is "$(awk '/^PPid/ { print $2 }' "/proc/$(main_pid "$n")/status")" "${PID[$n]}" "$n is not the core's child"
done

# --- away, and back -------------------------------------------------------------------------
# The key's process is killed; as long as its unit is stopped, letters wait.
unit_stop sealroom-seal@soft
is "$ENDED" "exit -15" "the key's unit can be stopped"
drop "$W/letter.tif" second.tif
wait_for 60 status_has 'any(j["state"] == "rendered" and j.get("why") for j in s["jobs"])'
ok $? "without its key a letter waits, and status says for what" || note "$(cmd status 2>&1)"
wait_for 30 status_has 'any(not t["ready"] and "sealroom-seal@soft.service has not come" in t.get("text", "") for t in s["tokens"])'
ok $? "status names the unit that is away" || note "$(cmd --json status 2>&1)"
wait_for 60 wrote sealroomd 'token soft: child-lost: sealroom-seal@soft.service has not come'
ok $? "so does the journal" || said
unit_start sealroom-seal@.service soft
wait_for 90 test -s "$R/in/$DONE/second.pdf"
ok $? "it comes back, and the letter is sealed" || said

# Network and log key are killed in the middle of all.  Then the core: the others end, are started
# anew, and find the next one.
kill -9 "$(main_pid sealroom-fetch)" "$(main_pid sealroom-seal@log)"
wait_for 60 status_has 'all(p["ready"] and p["restarts"] > 0 for p in s["peers"] if p["role"] in ("fetch", "log-key"))'
ok $? "killed, network and log key are started anew and come back" || said
before=$(main_pid sealroom-seal@soft)
kill -9 "$(main_pid sealroomd)"
drop "$W/letter.tif" third.tif
wait_for 90 test -s "$R/in/$DONE/third.pdf"
ok $? "the core is killed: the next one is found by all" || said
[ "$(main_pid sealroom-seal@soft)" != "$before" ]
ok $? "a key's process serves one core and no second one"

# --- a wrong PIN ------------------------------------------------------------------------------
unit_stop sealroom-seal@soft
good=$(cat "$PIN_FILE")
chmod 600 "$PIN_FILE"; echo 99999999 >"$PIN_FILE"; chmod 400 "$PIN_FILE"
unit_start sealroom-seal@.service soft
wait_for 60 wrote sealroomd 'token soft: pin-refused'
ok $? "a wrong PIN is told of" || said
wait_for 30 test "$(grep -c '^start' "$W/sealroom-seal@soft.log")" -ge 3
sleep 3
is "$(grep -c 'pin-refused' "$W/sealroom-seal@soft.out")" 1 "its unit is started anew, and the PIN was tried once" || said
wait_for 30 status_has 'any(t["stopped"] for t in s["tokens"])'
ok $? "status says that a person must act"
chmod 600 "$PIN_FILE"; echo "$good" >"$PIN_FILE"; chmod 400 "$PIN_FILE"
cmd token clear soft >/dev/null
drop "$W/letter.tif" fourth.tif
wait_for 90 test -s "$R/in/$DONE/fourth.pdf"
ok $? "the right PIN and a person's word: it goes on" || said

# --- who may not be what ---------------------------------------------------------------------
"$BIN/sealroom-seal" --conf "$R/sealroom.conf" --connect "$R/run/peers.sock" --token soft >"$W/twin" 2>&1
[ $? != 0 ] && wrote sealroomd 'soft .*sent away: one like it is there already'
ok $? "a second process for the same key is sent away" || said
sed 's#tokens : { soft#tokens : { other : { module = "'"$MODULE"'"; label = "x"; pin = "credential:pin"; }; soft#' \
    "$R/sealroom.conf" >"$R/other.conf"
chmod 600 "$R/other.conf"
"$BIN/sealroom-seal" --conf "$R/other.conf" --connect "$R/run/peers.sock" --token other >"$W/twin" 2>&1
[ $? != 0 ] && wrote sealroomd 'other .*sent away: the settings name no such token'
ok $? "so is a token that the core's settings do not have" || said
python3 - "$R/run/peers.sock" <<'PY'
import socket, sys
for first in (b"", b"\0" * 12, b"\0\0\0\1" + b"\0" * 4 + b"\0\0\0\5hello", b"\xff" * 60000):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.settimeout(20)
    s.send(first)
    assert s.recv(10) == b"", first[:20]
quiet = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
quiet.connect(sys.argv[1])
quiet.settimeout(30)
assert quiet.recv(10) == b""
PY
ok $? "whoever begins with nonsense, or says nothing, is hung up on" || said

# --- the end: the core first ------------------------------------------------------------------
unit_stop sealroomd
is "$ENDED" "exit 0" "the core ends when told to" || said
for n in sealroom-seal@soft sealroom-seal@log sealroom-fetch; do
	unit_stop "$n"
	like "$ENDED" '^exit (-15|0)$' "then $n"
done
cmd audit "$R/archive" >"$W/audit" 2>&1
is "$?" 0 "the archive proves it all" || note "$(cat "$W/audit")"
# The command of sealroom-fixity.service, and that it can fail.
fixity=$(sed -n 's/^ExecStart=//p' "$UNITS/sealroom-fixity.service" | sed "s#/usr/bin/sealroom#$BIN/sealroom --conf $R/sealroom.conf#")
$fixity >"$W/fixity" 2>&1
is "$? $(tail -n 1 "$W/fixity")" "0 proven" "the regular audit finds the archive by the settings" || note "$(cat "$W/fixity")"
one=$(find "$R/archive" -name sealed.pdf | head -n 1)
cp -p "$one" "$W/one.pdf" && chmod u+w "$one" && printf x >>"$one"
$fixity >"$W/fixity" 2>&1
is "$?" 1 "and says with its exit status that a byte is too many"
cp -p "$W/one.pdf" "$one"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 4 "four letters, each sealed once"
grep -q 'entries at the end are not under a signed checkpoint' "$W/audit"
is $? 1 "the last checkpoint was signed before the log's key went"
is "$(grep -c . "$R"/state/tokens/soft)" 0 "no mark is left"

# The settings name somebody else: the door stays shut.
sed -i "s#seal_user = \"$ME\"#seal_user = \"$((ME + 1))\"#; s#log_user = \"$ME\"#log_user = \"$((ME + 1))\"#; s#fetch_user = \"$ME\"#fetch_user = \"$((ME + 2))\"#" "$R/sealroom.conf"
unit_start sealroomd.service
wait_for 30 test -S "$R/run/peers.sock"
timeout 30 "$BIN/sealroom-fetch" --connect "$R/run/peers.sock" >"$W/twin" 2>&1
wait_for 30 wrote sealroomd "peers: user $ME \(process [0-9]+\) is none of ours"
ok $? "a user whom the settings do not name is not let in" || said
unit_stop sealroomd
sed -i "s#fetch_user = \"$((ME + 2))\"#fetch_user = \"$ME\"#" "$R/sealroom.conf"
unit_start sealroomd.service
wait_for 30 test -S "$R/run/peers.sock"
timeout 30 "$BIN/sealroom-seal" --conf "$R/sealroom.conf" --connect "$R/run/peers.sock" --token soft >"$W/twin" 2>&1
wait_for 30 wrote sealroomd 'user [0-9]+: says that it is what its user may not be'
ok $? "the network's user may not hold keys" || said
unit_stop sealroomd
finish
