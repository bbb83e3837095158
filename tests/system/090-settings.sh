#!/bin/bash
# Mistakes in the settings are named with file, line and remedy, before anything runs.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
room_settings
tsa_start
cmd check >"$W/out" 2>&1
is $? 0 "sound settings pass the check" || note "$(cat "$W/out")"
cmd check --show >"$W/shown" 2>&1
like "$(cat "$W/shown")" 'settle' "check --show prints the settings in force"

good=$W/good.conf
cp "$R/sealroom.conf" "$good"
# A mistake of the settings themselves: neither the daemon nor the check goes on.
refused() { # sed script, pattern of the complaint, sentence
	sed -E "$1" "$good" >"$R/sealroom.conf"
	cmp -s "$good" "$R/sealroom.conf" && { ok 1 "$3: the mistake was made"; return; }
	timeout 30 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once >"$W/daemon" 2>&1 </dev/null
	rc=$?
	[ $rc = 78 ] && grep -qE "$2" "$W/daemon"
	ok $? "$3: the daemon refuses to start (status $rc)" || note "$(cat "$W/daemon")"
	checked "$2" "$3"
}
checked() { # pattern, sentence
	cmd check >"$W/out" 2>&1
	rc=$?
	[ $rc != 0 ] && grep -qE "$1" "$W/out"
	ok $? "$2: check names it (status $rc)" || note "$(cat "$W/out")"
}
# Something the settings name is not as it must be: the daemon says so and waits.
waits() { # sed script, pattern of the complaint, sentence
	sed -E "$1" "$good" >"$R/sealroom.conf"
	cmp -s "$good" "$R/sealroom.conf" && { ok 1 "$3: the mistake was made"; return; }
	timeout 30 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 1 >"$W/daemon" 2>&1 </dev/null
	rc=$?
	[ $rc != 0 ] && [ $rc != 124 ] && grep -qE "$2" "$W/daemon"
	ok $? "$3: the daemon names it, and nothing is sealed (status $rc)" || note "$(cat "$W/daemon")"
	checked "$2" "$3"
}
at='sealroom\.conf:[0-9]+'
refused 's/settle = /setle = /' "$at.*settle" "an unknown key, with the nearest known one"
refused 's/level = "B-B"/level = "B-X"/' "$at.*(B-B|B-T)" "a word that is none of the choices"
refused 's/settle = "[^"]*"/settle = "soon"/' "$at.*settle" "a time that is none"
refused 's/seals = \[ "stamp" \]/seals = [ "stmp" ]/' "$at.*stmp" "a seal that does not exist"
refused 's/rules = \[ "all" \]/rules = [ "none" ]/' "$at.*none" "a rule that does not exist"
refused 's/^language = "en";/language = ;/' "$at" "a syntax error"
refused 's/size = \[ "62mm"/size = [ "62"/' "$at" "a length without unit"
sed -E 's#path = "[^"]*/in"#path = "/nowhere/in"#' "$good" >"$R/sealroom.conf"
checked '/nowhere/in' "a folder that is missing"
drop "$SCANS/de-schief.tif"
waits 's#pin = "file:[^"]*"#pin = "file:/nowhere/pin"#' 'pin|PIN' "a PIN file that is missing"
refused 's#pin = "file:[^"]*"#pin = "1234"#' "$at.*pin" "a PIN in the settings"
waits 's/key_label = "seal-p256"/key_label = "odd-expired"/' '[Ee]xpired|certificate' "an expired certificate"
waits 's/key_label = "seal-p256"/key_label = "odd-wrongkey"/' 'certificate|key' "a key and a certificate that do not match"
waits 's/key_label = "seal-p256"/key_label = "no-such-key"/' 'key' "a key that is not on the token"
waits 's/key_label = "seal-p256"/key_label = "seal-rsa2048"/' '2048|legacy' "an RSA key that is too short"
[ -n "${SEALROOM_ASAN-}" ] || waits 's#module = "[^"]*"#module = "/nowhere/p11.so"#' '/nowhere/p11.so|no module but SoftHSM' "a module that is missing"
waits 's#trust = "[^"]*root.pem"#trust = "/nowhere/root.pem"#' '/nowhere/root.pem' "trust roots that are missing"
cp "$good" "$R/sealroom.conf"
chmod 666 "$R/sealroom.conf"
timeout 30 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once >"$W/daemon" 2>&1 </dev/null
[ $? != 0 ]
ok $? "settings that anybody may write are refused" || note "$(cat "$W/daemon")"
chmod 600 "$R/sealroom.conf"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 0 "nothing was sealed meanwhile"
cp "$good" "$R/sealroom.conf"
room_once
is "$? $(find "$R/in/$DONE" -name '*.pdf' | wc -l)" "0 1" "with sound settings it is" || daemon_said
# Two daemons on one spool.
room_start
wait_for 30 test -S "$R/control"
timeout 30 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once >"$W/daemon" 2>&1 </dev/null
rc=$?
[ $rc != 0 ] && grep -q 'already-running' "$W/daemon"
ok $? "a second daemon on the same state is refused" || note "$(cat "$W/daemon")"
room_stop
is $? 0 "the first one is not disturbed"
finish
