#!/bin/bash
# limit: 400
# A time-stamping authority that lies, hangs up or is gone: nothing is sealed below
# its level, nothing is signed twice, and all goes on by itself once it is well.
. "$(dirname "$0")/../lib.sh"
need python3 openssl pdfsig softhsm2-util
need_program sealroomd
room_new
TSA_EXTRA='timeout = "2s"; skew = "60s";'
room_settings
tsa_start

waiting() { find "$R/state/spool/signed" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | wc -l; }
sig_sum() { cat "$R"/state/spool/signed/*/sig 2>/dev/null | sha256sum; }
drop "$SCANS/de-schief.tif"

# Signed once, while the authority is down; from there on only the time-stamp is missing.
tsa_fault tsa=down >/dev/null
room_start
wait_for 60 sh -c "ls '$R'/state/spool/signed/*/sig"
ok $? "the letter is signed, and waits" || daemon_said
room_stop
first=$(sig_sum)
patience=${SEALROOM_ASAN:+8}
for fault in down http500 html garbage truncate reject wrongimprint wrongnonce badsig wrongchain badcert noeku skew:3600; do
	tsa_fault "tsa=$fault" >/dev/null
	room_once --wait "${patience:-2}"
	is "$? $(waiting) $(find "$R/in/$DONE" -name '*.pdf' 2>/dev/null | wc -l)" "75 1 0" \
	    "with tsa=$fault the job waits, signed, and nothing is given out" || daemon_said
	is "$(sig_sum)" "$first" "and its signature is kept as it is"
done
grep -qE 'tsa-(unreachable|answer-refused)' "$LOG"
ok $? "the daemon's log names the cause"
tsa_fault clear >/dev/null
room_once
is $? 0 "with a sound authority the job is finished" || daemon_said
pdf=$R/in/$DONE/de-schief.pdf
judge_cms "$pdf" && judge_ts "$pdf" && judge_pdfsig "$pdf"
ok $? "and signature and time-stamp are good"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log") $(grep -c '^type orphan$' "$W/log") $(grep -c '^type reject$' "$W/log")" "1 0 0" \
    "one job, no orphan, no rejection"

# Another policy than the settings want.
TSA_EXTRA="timeout = \"2s\"; policy = \"$TSA_POLICY\";"
room_settings
tsa_fault tsa=wrongpolicy >/dev/null
drop "$SCANS/en-letter.tif"
room_once --wait "${patience:-4}"
is "$? $(waiting)" "75 1" "a time-stamp under another policy is not taken"
tsa_fault clear >/dev/null

# Gone, then back, while the daemon runs.
tsa_fault tsa=down >/dev/null
room_start
sleep 3
tsa_fault clear >/dev/null
wait_for 90 test -s "$R/in/$DONE/en-letter.pdf"
ok $? "a running daemon goes on by itself when the authority is back" || daemon_said
tsa_fault tsa=slow:1 >/dev/null
drop "$SCANS/en-turned.tif"
wait_for 60 test -s "$R/in/$DONE/en-turned.pdf"
ok $? "a slow answer is waited for" || daemon_said
room_stop
is $? 0 "the daemon ends when told to"
finish
