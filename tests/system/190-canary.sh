#!/bin/bash
# An unusual PIN and the log's key, looked for in everything that is left of them: the memory
# of each process (what a core dump would hold, freed heap and all), environment, arguments,
# and every file.  In a user namespace of its own, because these processes hide their memory.
if [ -z "${CANARY_INSIDE-}" ] && unshare -U --map-user="$(id -u)" --keep-caps true 2>/dev/null; then
	CANARY_INSIDE=1 exec unshare -U --map-user="$(id -u)" --keep-caps "$0" "$@"
fi
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util pkcs11-tool openssl
need_program sealroomd
[ -n "${CANARY_INSIDE-}" ] || skip_all "no user namespace can be made here: the memory of these processes can not be read"
[ -z "${SEALROOM_ASAN-}" ] || skip_all "sanitizers keep what was freed"
CANARY=vogel-7Qx4-kanarie-93
room_new
LEVEL=B-T
room_settings
pkcs11-tool --module "$MODULE" --token-label "$TOKEN" --login --pin "$(cat "$PIN_FILE")" --change-pin --new-pin $CANARY >"$W/pin.out" 2>&1 ||
    bail "the token takes another PIN: $(cat "$W/pin.out")"
chmod 600 "$PIN_FILE" && echo $CANARY >"$PIN_FILE" && chmod 400 "$PIN_FILE"
tsa_start
room_start
drop "$SCANS/de-schief.tif"
wait_for 90 test -s "$R/in/$DONE/de-schief.pdf"
ok $? "a letter is sealed with this PIN" || daemon_said

hex() { od -An -v -tx1 | tr -d ' \n'; }
key=$R/state/evidence.key
{
	echo "pin $(printf %s $CANARY | hex)"
	echo "key $(openssl pkey -in "$key" -outform DER | tail -c 32 | hex)"
	echo "pem $(sed -n 2p "$key" | tr -d '\n' | tail -c 40 | hex)"
} >"$W/needles"
chmod 600 "$W/needles"
pids=$(pgrep -P "$ROOM_PID" | tr '\n' ' ')
log=$(for p in $pids; do tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -- --log && echo "$p"; done)

# The judge finds what is there: in a process that read the PIN, and behind the walls of the log's own.
python3 -c 'import sys, time; p = open(sys.argv[1]).read(); print(flush=True); time.sleep(600)' "$PIN_FILE" >"$W/planted" &
planted=$!
PIDS+=("$planted")
wait_for 20 test -s "$W/planted"
"$TOOLS/canary" "$W/needles" "$planted" >"$W/found"
is $? 1 "a PIN planted in a process is found" || note "$(cat "$W/found")"
like "$(cat "$W/found")" "^$planted .* pin " "in its memory"
"$TOOLS/canary" "$W/needles" "$log" >"$W/found"
is $? 1 "the log's key is in its own process, which signs with it" || note "$(cat "$W/found")"
is "$(grep -c ' key ' "$W/found" | sed 's/[1-9][0-9]*/some/')" some "as the key itself"
is "$(grep -E ' (pin|pem) ' "$W/found")" "" "and neither as the text it was read from nor beside the PIN"

# shellcheck disable=SC2086
"$TOOLS/canary" "$W/needles" "$ROOM_PID" ${pids/$log/} >"$W/found"
is $? 0 "nothing of both in the core, the readers, the judges, the fetchers, the sealer" || note "$(cat "$W/found")"
like "$(tail -n 1 "$W/found")" '^looked [5-9] [0-9]{8,}' "in all of them, and all of their memory"
drop "$SCANS/en-letter.tif"
wait_for 90 test -s "$R/in/$DONE/en-letter.pdf"
ok $? "another letter is sealed" || daemon_said
# shellcheck disable=SC2086
"$TOOLS/canary" "$W/needles" "$ROOM_PID" ${pids/$log/} >"$W/found"
is $? 0 "nor after it" || note "$(cat "$W/found")"
cmd status --json >"$W/status" 2>&1
room_stop
is $? 0 "the daemon ends when told to"

# Files: the token's own directory and the PIN's file are where it belongs.
kept() { grep -raF -l -e "$CANARY" -e "$(sed -n 2p "$key" | tail -c 40)" "$R/state" "$R/archive" "$R/in" "$R/anchor" "$LOG" "$W/status" | grep -vxF "$key"; }
is "$(kept)" "" "no file holds it: state, spool, archive, evidence, events, folder, log, status"
echo "x${CANARY}x" >"$R/state/planted"
is "$(kept)" "$R/state/planted" "one that does is found"
is "$(find "$R" "$W" -name 'core*' -size +100k ! -path '*/pki/*' 2>/dev/null)" "" "there is no core dump"
finish
