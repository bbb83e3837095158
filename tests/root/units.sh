#!/bin/bash
# limit: 240
# The units with a user each, as an installation has them: who sees documents, who holds
# keys, and who has the network.  Each reaches what is its own and nothing of the others.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP wants to be root"; exit 0; }
TMPDIR=/tmp
PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util setpriv pdfsig
need_program sealroomd
chmod 755 "$W"
CORE=20011 SEAL=20012 FETCH=20013 LOGKEY=20015
as() { echo "setpriv --reuid $1 --regid $1 --clear-groups --no-new-privs"; }
AS_core=$(as $CORE) AS_seal=$(as $SEAL) AS_log=$(as $LOGKEY) AS_fetch=$(as $FETCH)
$AS_core test -x "$BIN/sealroomd" || skip_all "no way to the programs for another user"
room_new
EXTRA="peers : { start = \"connect\"; socket = \"$R/run/peers.sock\"; seal_user = \"$SEAL\"; log_user = \"$LOGKEY\"; fetch_user = \"$FETCH\"; };"
SCAN_LANGUAGES='"eng"'
export WATCHDOG=15
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
sed -i "s#$R/control#$R/run/control.sock#; s#$R/state/evidence.key#$R/keys/evidence.key#" "$R/sealroom.conf"
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || bail "a scan can be made"
tsa_start

# As sysusers.d and tmpfiles.d have it: settings are root's, documents the core's, keys the seal's.
mkdir -p "$R/run" "$R/keys"
chmod 755 "$R" "$R/pki" && chmod 644 "$R/sealroom.conf"
chmod -R a+rX "$R/pki" && chmod -R go= "$R/pki/softhsm"
chown -R $LOGKEY:$LOGKEY "$R/keys" "$R/anchor" && chown -R $SEAL:$SEAL "$R/pki/softhsm" && chown $SEAL "$PIN_FILE" && chmod 400 "$PIN_FILE"
chown -R $CORE:$CORE "$R/run" "$R/in" "$R/archive" "$R/state"
chmod 700 "$R/keys" "$R/anchor" "$R/state" && chmod 750 "$R/archive" "$R/in"
. "$(dirname "$0")/../units.bash"
if [ -d /run/systemd/system ]; then
	note "a service manager runs here; the units are started by their commands all the same"
fi
units=(sealroom-seal@soft sealroom-seal@log sealroom-fetch sealroomd)
unit_start sealroomd.service
unit_start sealroom-seal@.service soft
unit_start sealroom-seal@.service log
unit_start sealroom-fetch.service
drop "$W/letter.tif" first.tif
wait_for 90 test -s "$R/in/$DONE/first.pdf"
ok $? "a letter is sealed by four units of four users" || units_said
judge_pdfsig "$R/in/$DONE/first.pdf"
ok $? "pdfsig is content"
own=("$SEAL" "$LOGKEY" "$FETCH" "$CORE")
for i in "${!units[@]}"; do
	is "$(awk '/^[UG]id/ { print $2, $3, $4 }' "/proc/$(main_pid "${units[$i]}")/status" | sort -u)" "${own[$i]} ${own[$i]} ${own[$i]}" \
	    "${units[$i]} runs as its own user"
done

# --- what each reaches -----------------------------------------------------------------------
document=$(find "$R/archive" -name sealed.pdf | head -n 1)
reach() { # WHO SENTENCE yes|no FILE...
	local who=$1 sentence=$2 want=$3 file got=
	shift 3
	for file; do
		if [ ! -e "$file" ]; then got="$got $file is not there,"; continue; fi
		if $who test -r "$file"; then [ "$want" = yes ] || got="$got $file,"; else [ "$want" = no ] || got="$got not $file,"; fi
	done
	is "$got" "" "$sentence"
}
keys=("$PIN_FILE" "$R/pki/softhsm/tokens")
logkey=("$R/keys/evidence.key" "$R/anchor")
wait_for 30 test -s "$R/archive/evidence/log/checkpoint" # comes behind the letter
papers=("$R/in" "$R/in/$DONE/first.pdf" "$document" "$R/state/spool" "$R/archive/evidence/log/checkpoint")
reach "$AS_core" "the core has documents and log" yes "${papers[@]}"
reach "$AS_core" "and neither PIN nor keys, nor the anti-rollback record" no "${keys[@]}" "${logkey[@]}"
reach "$AS_seal" "the keys' user has PIN and keys" yes "${keys[@]}"
reach "$AS_seal" "and no document, spool, archive or log, nor the log's key" no "${papers[@]}" "${logkey[@]}"
reach "$AS_log" "the log key's user has that" yes "${logkey[@]}"
reach "$AS_log" "and no other key, and no document" no "${keys[@]}" "${papers[@]}"
reach "$AS_fetch" "the network's user has none of all" no "${keys[@]}" "${logkey[@]}" "${papers[@]}"
# what is open in the processes themselves, for paths can be handed over as descriptors
opens() { find "/proc/$(main_pid "$1")/fd" -printf '%l\n' 2>/dev/null; }
for n in "${units[@]}"; do
	[ "$(opens "$n" | wc -l)" -gt 3 ]
	ok $? "what $n has open can be looked at"
done
! opens sealroom-fetch | grep -qE "$R/(in|archive|state|keys|anchor|pki)"
ok $? "nothing of them is open in the network's process" || note "$(opens sealroom-fetch)"
! opens sealroom-seal@soft | grep -qE "$R/(in|archive|state/spool)"
ok $? "no document in the key's" || note "$(opens sealroom-seal@soft)"
! opens sealroomd | grep -qE "$R/(keys|anchor|pki)"
ok $? "no key in the core" || note "$(opens sealroomd)"

# --- killed, each ----------------------------------------------------------------------------
all_there() {
	$AS_core "$BIN/sealroom" --conf "$R/sealroom.conf" --json status | /usr/bin/python3 -c 'import json, sys
s = json.load(sys.stdin)
sys.exit(not (len(s["peers"]) >= 3 and all(p["ready"] for p in s["peers"]) and all(t["ready"] for t in s["tokens"])))'
}
for n in "${units[@]}"; do
	# shellcheck disable=SC2034
	starts=$(grep -c '^start' "$W/$n.log")
	kill -9 "$(main_pid "$n")"
	wait_for 30 eval '[ "$(grep -c "^start" "$W/$n.log")" -gt "$starts" ]'
	ok $? "$n is killed, and started anew"
	wait_for 60 all_there
	ok $? "all are there again" || units_said
	drop "$W/letter.tif" "behind-$n.tif"
	wait_for 90 test -s "$R/in/$DONE/behind-$n.pdf"
	ok $? "and the next letter is sealed" || units_said
	[ ! -s "$R/state/tokens/soft" ] || $AS_core "$BIN/sealroom" --conf "$R/sealroom.conf" token clear soft >/dev/null
done

# --- who is not who he says --------------------------------------------------------------------
$AS_seal timeout 30 "$BIN/sealroom-fetch" --connect "$R/run/peers.sock" >"$W/twin" 2>&1
wait_for 30 wrote sealroomd "user $SEAL: says that it is what its user may not be"
ok $? "the keys' user may not be the network" || units_said
$AS_seal timeout 30 "$BIN/sealroom-seal" --conf "$R/sealroom.conf" --connect "$R/run/peers.sock" --token log >"$W/twin" 2>&1
rc=$?
[ $rc != 0 ] && [ $rc != 124 ]
ok $? "nor the log's key"
before=$(main_pid sealroom-seal@soft)
$AS_fetch timeout 30 "$BIN/sealroom-seal" --conf "$R/sealroom.conf" --connect "$R/run/peers.sock" --token soft >"$W/twin" 2>&1
rc=$?
[ $rc != 0 ] && [ $rc != 124 ] && [ "$(main_pid sealroom-seal@soft)" = "$before" ]
ok $? "nor the network's a key: it ends, and the key's process goes on"
hung_up='import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.settimeout(20)
sys.exit(s.recv(10) != b"")'
$(as 20014) /usr/bin/python3 -c "$hung_up" "$R/run/peers.sock"
ok $? "and a fourth user is hung up on" || units_said
for n in sealroomd sealroom-seal@soft sealroom-seal@log sealroom-fetch; do unit_stop "$n"; done
$AS_core "$BIN/sealroom" --conf "$R/sealroom.conf" audit "$R/archive" >"$W/audit" 2>&1
is "$?" 0 "the archive proves it all" || note "$(cat "$W/audit")"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 5 "five letters, each sealed once"
finish
