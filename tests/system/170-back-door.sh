#!/bin/bash
# limit: 400
# A reader that has fallen to its document harms that document's job alone: a twin of
# sealroom-scan with a back door (tests/backdoor/door.c) does what an attacker would.
. "$(dirname "$0")/../lib.sh"
need python3 qpdf softhsm2-util nm strings
need_program sealroomd tests/backdoor/sealroom-scan
# ... and would be free to do it: with sanitizers there is no filter and no limit of memory.
[ -z "${SEALROOM_ASAN-}" ] || skip_all "a build with sanitizers has no walls that would hold"
SIGN='SEALROOM-BACK-DOOR'

# --- the door is in the twin, and nowhere else ------------------------------------------------
strings -a "$BIN/tests/backdoor/sealroom-scan" | grep -q "$SIGN" && nm "$BIN/tests/backdoor/sealroom-scan" | grep -q '__wrap_page_run'
ok $? "the twin of the reader has a back door"
for p in sealroomd sealroom sealroom-scan sealroom-seal sealroom-verify sealroom-fetch; do
	! strings -a "$BIN/$p" | grep -qE "$SIGN|__wrap_" && ! nm "$BIN/$p" | grep -qE '__wrap_|deed_'
	ok $? "$p has none"
done
is "$(grep -lr "$SIGN" "$TOP"/agent "$TOP"/scan "$TOP"/seal "$TOP"/rules)" "" "nor has any source outside tests/"

# --- a room ------------------------------------------------------------------------------------
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
SCAN_EXTRA='page_time = "4s"; page_memory = "700MiB";'
EXTRA='max_jobs = 64;'
p11fault_settings
export SEALROOM_LIBEXEC=$BIN/tests/backdoor
"$TOOLS/small-scan" "A GOOD LETTER" "$W/good.tif" || bail "a scan can be made"
results() { find "$R/in/$DONE" -name 'good*.pdf' 2>/dev/null | wc -l; }
good() { drop "$W/good.tif" "good$1.tif"; }
has_results() { [ "$(results)" -ge "$1" ]; }
room_start
good 1
wait_for 90 has_results 1
ok $? "a letter is sealed before" || daemon_said
zygote=$(pgrep -P "$ROOM_PID" -x sealroom-scan)
archived() { (cd "$R/archive" && find 20* -type f ! -name manifest-sha256.txt -print0 | sort -z | xargs -0 sha256sum); }
archived >"$W/archived"
before=$("$TOOLS/logread" "$R/archive" --count)

# --- the deeds -----------------------------------------------------------------------------------
# name of the deed's document, KIND DEED ARGUMENT, and why it is refused
victim=$(cd "$R/archive" && find "$PWD"/20* -name sealed.pdf | head -n 1)
deeds=(
	"confess:page confess:document-damaged"
	"everywhere:page everywhere:reader-crashed"
	"archive:page open $victim:reader-crashed"
	"log:page open $R/archive/evidence/log/checkpoint:reader-crashed"
	"pin:page open $PIN_FILE:reader-crashed"
	"mark:page open $R/state/tokens/soft:reader-crashed"
	"kill:page kill:reader-crashed"
	"scribble:page scribble:reader-crashed"
	"memory:page memory:reader-(crashed|timeout)"
	"cpu:page cpu:reader-(crashed|timeout)"
	"hang:page hang:reader-timeout"
	"flood:page flood:reader-timeout"
	"disk:page disk:reader-crashed"
	"garbage:page garbage:reader-crashed"
	"oversize:page oversize:reader-crashed"
	"twice:page twice:reader-crashed"
	"lie:page lie:reader-crashed"
	"foreign:page foreign:reader-crashed"
	"blame-log:page blame log-inconsistent:reader-crashed"
	"blame-pin:page blame pin-refused:reader-crashed"
	"blame-memory:page blame no-memory:reader-crashed"
	"blame-walls:page blame confinement-failed:reader-crashed"
	"look-kill:inspect kill:reader-crashed"
	"look-lie:inspect lie:reader-crashed"
	"look-input:inspect input:reader-crashed"
	"page-input:page input:reader-crashed"
	"compose-input:compose input:reader-crashed"
	"compose-lie:compose lie:reader-crashed"
	"compose-seal:compose other-seal:reader-crashed"
	"compose-pages:compose other-pages:reader-crashed"
	"compose-garbage:compose garbage:reader-crashed"
)
for m in 1 2 3 4 5 10 12 13 16; do deeds+=("pretend$m:page pretend $m:reader-crashed"); done
for d in "${deeds[@]}"; do
	IFS=: read -r name line _ <<<"$d"
	{ cat "$W/good.tif" && printf '\n%s %s\n' "$SIGN" "$line"; } >"$W/evil-$name.tif"
	drop "$W/evil-$name.tif"
done
# the reader of the finished document: a JPEG is in it as it came, comment and all, when noise keeps it out of Flate
python3 - "$SCANS/de-rechnung.jpg" "$W" "$SIGN" <<-'PY'
	import random, struct, sys
	data = open(sys.argv[1], "rb").read()
	comment = lambda text: b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text
	noise = b"".join(comment(random.Random(i).randbytes(60000)) for i in range(16))
	for name, line in (("field-kill", "field kill"), ("field-lie", "field lie"), ("field-hole", "field wide-hole"), ("sigs-kill", "sigs kill"), ("sigs-input", "sigs input")):
	    text = ("%s %s\n" % (sys.argv[3], line)).encode()
	    with open("%s/evil-%s.jpg" % (sys.argv[2], name), "wb") as f:
	        f.write(data[:2] + comment(text) + noise + data[2:])
PY
# who draws a PDF may open fonts, and what it composes is put behind bytes that came
"$TOOLS/make-pdfs" "$W/born" || bail "the samples can be made"
kept=("kept-archive:keptpage open $victim:reader-crashed" "kept-pin:keptpage open $PIN_FILE:reader-crashed"
	"kept-kill:keptpage kill:reader-crashed" "kept-garbage:keptpage garbage:reader-crashed"
	"kept-compose:compose garbage:reader-crashed" "kept-files:files garbage:reader-crashed" "kept-files-input:files input:reader-crashed")
for d in "${kept[@]}"; do
	IFS=: read -r name line _ <<<"$d"
	printf '%s %s\n' "$SIGN" "$line" >"$W/line"
	qpdf --stream-data=uncompress --add-attachment "$W/line" -- "$W/born/standard.pdf" "$W/evil-$name.pdf"
done
for f in "$W"/evil-*.jpg "$W"/evil-*.pdf; do drop "$f"; done
for i in 2 3 4; do good $i; done
wait_for 90 has_results 4
ok $? "letters are sealed while the others do what they can" || daemon_said
all=$((${#deeds[@]} + ${#kept[@]} + 5))
refused() { find "$R/in/$ERROR" -name 'evil-*.txt' 2>/dev/null | wc -l; }
all_refused() { [ "$(refused)" -ge $all ]; }
wait_for 180 all_refused
is "$(refused)" $all "each of them ends in error/" || { note "$(cmd status | tail -n 40)"; daemon_said; }
good 5
wait_for 90 has_results 5
ok $? "a letter is sealed after" || daemon_said

# --- nobody else was harmed ----------------------------------------------------------------------
reason() { "$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$1")" 'BEGIN { RS = "== " } index($0, h) && /^type reject|\ntype reject/' | sed -n 's/^reason //p'; }
for d in "${deeds[@]}" "${kept[@]}" "field-kill::reader-crashed" "field-lie::reader-crashed" "field-hole::reader-crashed" "sigs-kill::reader-crashed" "sigs-input::reader-crashed"; do
	name=${d%%:*} want=${d##*:}
	f=$(echo "$W/evil-$name".*)
	cmp -s "$f" "$R/in/$ERROR/$(basename "$f")" && [ -s "$R/in/$ERROR/$(basename "$f").txt" ]
	ok $? "$name: its document comes back untouched, with a reason"
	like "$(reason "$f")" "^$want" "$name: the log says why"
done
kill -0 "$ROOM_PID"
ok $? "the daemon lives"
is "$(pgrep -P "$ROOM_PID" -x sealroom-scan)" "$zygote" "and so does its reader, the same as before"
[ -z "${P11FAULT_LOG-}" ] || {
	is "$(grep -c '^C_Login' "$P11FAULT_LOG")" 1 "the token was logged in to once"
	is "$(grep -c '^C_Sign 0x0' "$P11FAULT_LOG")" "$((5 + $(grep -c '^C_Login 0x0' "$P11FAULT_LOG")))" "and signed the five letters, and nothing else"
}
is "$(stat -c %s "$R/state/tokens/soft")" 0 "no mark stands against its PIN"
(cd "$R/archive" && sha256sum --quiet -c "$W/archived") >"$W/changed" 2>&1
ok $? "what was archived before has not changed by a byte" || note "$(cat "$W/changed")"
for i in 1 2 3 4 5; do judge_pdfsig "$R/in/$DONE/good$i.pdf"; ok $? "letter $i is sealed, says pdfsig"; done
is "$(find "$R/state/spool" -mindepth 2 -maxdepth 2 -type d ! -path '*/quarantine/*' | wc -l)" 0 "no job is left"
room_stop
is $? 0 "the daemon ends when told to"
"$TOOLS/logread" "$R/archive" --prove >"$W/prove" 2>&1
ok $? "the log proves itself" || note "$(cat "$W/prove")"
[ "$("$TOOLS/logread" "$R/archive" --count)" -ge $((before + all + 4)) ]
ok $? "and has an entry for each"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive holds" || note "$(cat "$W/audit")"

# --- without the door these are letters like any other ---------------------------------------------
unset SEALROOM_LIBEXEC
drop "$W/evil-kill.tif" good-kill.tif
drop "$W/evil-confess.tif" good-confess.tif
room_once --wait 20
is "$(find "$R/in/$DONE" -name 'good-*.pdf' | wc -l)" 2 "the reader of the product seals the same files" || daemon_said
finish
