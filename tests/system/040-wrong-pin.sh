#!/bin/bash
# One wrong PIN stops a token, over any number of restarts, until a person clears it.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util pkcs11-tool
need_program sealroomd tests/p11fault.so
room_new
LEVEL=B-B
p11fault_settings
echo tries=3 >"$P11FAULT_CTL"
printf '73519264\n' >"$W/wrong.pin" && chmod 400 "$W/wrong.pin"
good=$PIN_FILE
PIN_FILE=$W/wrong.pin
room_settings

logins() { grep -c 'C_Login' "$P11FAULT_LOG" 2>/dev/null; }
tries_left() { cat "$P11FAULT_CTL.tries" 2>/dev/null; }
drop "$SCANS/de-schief.tif"
room_once --wait 3
is $? 75 "with a wrong PIN the job waits" || daemon_said
is "$(logins)" 1 "the token was asked once"
used=$(tries_left)
grep -q 'pin-refused' "$LOG"
ok $? "the daemon's log says that the PIN was refused"
for i in 1 2 3; do
	room_once --wait 2
	is "$? $(logins) $(tries_left)" "75 1 $used" "restart $i asks the token no more"
done
grep -q 'pin-stopped' "$LOG"
ok $? "and says that the token is stopped until a person clears it"
is "$(grep -rlE '73519264|48291736' "$LOG" "$R/state" 2>/dev/null)" "" "no PIN stands in a log or in the state"

# The right PIN alone does not do it: a person must say so.
PIN_FILE=$good
room_settings
room_once --wait 2
is "$? $(logins)" "75 1" "a corrected PIN file is not tried by itself"
cmd token list >"$W/list" 2>&1
like "$(cat "$W/list")" 'soft' "token list shows the token"
cmd token clear soft >"$W/clear" 2>&1
is $? 0 "token clear" || note "$(cat "$W/clear")"
room_once
is $? 0 "then the letter is sealed" || daemon_said
[ -s "$R/in/$DONE/de-schief.pdf" ]
ok $? "and given back"
like "$(cmd token list --json 2>/dev/null)" '"soft"' "token list --json names it too"
is "$(logins)" 2 "with one more login"

finish
