#!/bin/bash
# limit: 300
# A room with something in every state: starts without new files change nothing but
# start and stop entries; a token that is pulled at any moment is waited for, and when
# it is back all goes on by itself, with one signature a job.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
TSA_EXTRA='timeout = "2s";'
RULES='ask : { when = { any = [ "HOLD" ]; typos = 1; }; hold = { en = "Please look."; de = "Bitte ansehen."; }; };
all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"ask", "all"'
if [ -z "${SEALROOM_ASAN-}" ]; then
	p11fault_settings
	export P11FAULT_CTL=$R/pki/softhsm/tokens/p11.ctl # where the confined process may read it
	: >"$P11FAULT_CTL"
fi
room_settings
tsa_start

letter() { "$TOOLS/small-scan" "$2" "$W/$1.tif" && drop "$W/$1.tif"; }
in_state() { [ "$(find "$R/state/spool/$1" -mindepth 1 -maxdepth 1 -type d | wc -l)" = "$2" ]; }
tree() { (cd "$R" && find in state archive anchor -type f ! -path '*/evidence/*' ! -path 'anchor/*' -exec sha256sum {} + | sort -k 2); }
types() { "$TOOLS/logread" "$R/archive" | sed -n 's/^type //p'; }
jobs_are() { [ "$(types | grep -c '^job$')" = "$1" ]; }
waits() { cmd status | grep -q "$1"; }

# --- something in every state
letter ready "LETTER ONE"
letter held "PLEASE HOLD ON"
printf 'II*\0nothing that could be read' >"$W/bad.tif" && drop "$W/bad.tif"
room_once
is $? 0 "one letter is done, one held, one refused" || { daemon_said; finish; }
in_state held 1
ok $? "the held one waits for a person" || daemon_said
tsa_fault tsa=down >/dev/null
letter waits "LETTER TWO"
room_once --wait 2
is $? 75 "another waits for its time stamp" || daemon_said
in_state signed 1
ok $? "signed" || daemon_said

# --- nothing new: nothing changes
tree >"$W/before"
types >"$W/types"
room_once --wait 2
is $? 75 "a start without new files" || daemon_said
room_once --wait 2
is $? 75 "and another"
tree >"$W/after"
cmp -s "$W/before" "$W/after"
ok $? "change no byte of folders, spool and documents" || note "$(diff "$W/before" "$W/after")"
is "$(types | tail -n +$(($(wc -l <"$W/types") + 1)) | tr '\n' ' ')" "start stop start stop " "but start and stop entries"
echo x >>"$W/after" && ! cmp -s "$W/before" "$W/after"
ok $? "and a byte would have been seen"
tsa_fault clear >/dev/null
[ -z "${SEALROOM_ASAN-}" ] || skip_all "the module that can be pulled is not for sanitizers"

# --- the token is pulled and put back
pull() { echo removed=1 >"$P11FAULT_CTL"; }
back() { : >"$P11FAULT_CTL"; }
room_start
wait_for 60 jobs_are 2
ok $? "the authority is back: the letter that waited is done" || daemon_said
pull
letter pulled "LETTER THREE"
wait_for 60 in_state rendered 1
ok $? "a letter that finds no token waits, read" || daemon_said
wait_for 30 waits 'token-absent'
ok $? "and status says for what"
back
wait_for 90 jobs_are 3
ok $? "the token is back: it goes on by itself" || daemon_said

echo sign_ms=2500 >"$P11FAULT_CTL"
letter signing "LETTER FOUR"
wait_for 60 sh -c "ls '$R'/state/spool/rendered/*/attempt"
ok $? "the token is asked"
pull
sleep 4
back
wait_for 90 jobs_are 4
ok $? "pulled while it signs, and put back: it goes on by itself" || daemon_said

tsa_fault tsa=down >/dev/null
letter stamping "LETTER FIVE"
wait_for 60 in_state signed 1
ok $? "a letter is signed and waits for the authority"
pull
tsa_fault clear >/dev/null
wait_for 90 jobs_are 5
ok $? "it needs no token any more" || daemon_said
back
is "$(find "$R/state/spool" -mindepth 2 -maxdepth 2 -type d | grep -vc held)" 0 "nothing is stuck"
room_stop
is $? 0 "the daemon ends when told to"
# Each start of the token's process signs once to prove itself.
starts=$(grep -c '^C_Login 0x0' "$P11FAULT_LOG") signs=$(grep -c '^C_Sign 0x0' "$P11FAULT_LOG")
orphans=$(types | grep -c '^orphan$')
[ $((signs - starts)) -le $((5 + orphans)) ]
ok $? "one signature a job, but for the orphans on record ($signs signatures, $starts starts, $orphans orphans)"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "all is proven" || note "$(tail -n 5 "$W/audit")"
finish
