#!/bin/bash
# limit: 400
# Restores from backup, drilled: the archive, the state, the anti-rollback record, each
# alone and together put back to an older copy.  Nothing is sealed twice, nothing is
# taken in while the log is in doubt, and what was lost is listed by a break.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom
room_new
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
SCAN_EXTRA='workers = 1;'
TSA_EXTRA='timeout = "2s";'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
[ -n "${SEALROOM_ASAN-}" ] || p11fault_settings
room_settings
tsa_start

letter() { "$TOOLS/small-scan" "LETTER $1" "$W/$1.tif" && touch -d "2026-01-0$2 03:04:05" "$W/$1.tif"; }
# As a good sender would, with the time the file has.
send() { cp -p "$W/$1.tif" "$R/in/.$1.part" && mv "$R/in/.$1.part" "$R/in/$1.tif"; }
entries() { "$TOOLS/logread" "$R/archive"; }
of_type() { entries | grep -c "^type $1\$"; }
id_of() { cat "$R"/archive/20*/*/*/*/job.json | python3 -c '
import json, sys
text, at, d = sys.stdin.read(), 0, json.JSONDecoder()
while text[at:].strip():
    o, at = d.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
    if o["source"]["name"] == sys.argv[1]: print(o["id"])' "$1"; }
results() { find "$R/in/$DONE" -name "$1*.pdf" | wc -l; }
audited() { # status sentence [ARG...]
	local want=$1 sentence=$2
	shift 2
	cmd audit "$R/archive" "$@" >"$W/audit" 2>&1
	is $? "$want" "$sentence" || note "$(tail -n 6 "$W/audit")"
}
restore() { # what lies in the backup, for each name given
	local part
	for part; do chmod -R u+w "${R:?}/$part" && rm -rf "${R:?}/$part" && cp -a "$W/backup/$part" "$R/$part"; done
}
run() { # status sentence
	room_once --wait 2
	is $? "$1" "$2" || daemon_said
}
resume() { cmd evidence resume --after-restore --reason "$1" >"$W/resume" 2>&1; }
one_each() { # every delivery has exactly one final entry
	entries | awk '/^source / { print $4 }' | sort | uniq -d | grep -c .
}

i=0
for n in A B C D E F; do letter $n $((i += 1)); done
printf 'II*\0garbage that is no picture' >"$W/bad.tif"

# --- at the time of the backup: one letter is done, one waits for its time stamp
send A
run 0 "a letter is sealed"
tsa_fault tsa=down >/dev/null
send B
run 75 "another waits for its time stamp"
mkdir "$W/backup" && cp -a "$R/archive" "$R/state" "$R/anchor" "$W/backup/"
cp "$R/archive/evidence/log/checkpoint" "$W/at-backup"

# --- afterwards: the second is finished, a third is sealed, a fourth refused
tsa_fault clear >/dev/null
send C
cp "$W/bad.tif" "$R/in/bad.tif"
run 0 "after the backup two more are sealed, one is refused"
b=$(id_of B.tif) c=$(id_of C.tif)
cp "$R/archive/evidence/log/checkpoint" "$W/newest"
mkdir "$W/newer" && cp -a "$R/archive" "$R/state" "$R/anchor" "$R/in" "$W/newer/"
again() { # the room as it was just before a disaster
	local part
	for part in archive state anchor in; do chmod -R u+w "${R:?}/$part" && rm -rf "${R:?}/$part" && cp -a "$W/newer/$part" "$R/$part"; done
}

# --- 1. the archive alone comes from the backup
restore archive
send D
run 79 "an older archive: the daemon stops with a status of its own"
is "$(results D)$(ls "$R/in/D.tif")" "0$R/in/D.tif" "and what was dropped lies where it was"
grep -q 'evidence resume --after-restore' "$LOG"
ok $? "its journal says what to do"
cmd status >"$W/status"
is $? 69 "status knows that it stopped"
like "$(cat "$W/status")" 'log-rolled-back' "and why"
sed -i 's/language = "en"/language = "de"/' "$R/sealroom.conf"
like "$(cmd status)" 'Was zu tun ist: die neueste Kopie' "in German, too"
sed -i 's/language = "de"/language = "en"/' "$R/sealroom.conf"
cmd evidence resume --reason "disk broke" >/dev/null 2>&1
is $? 64 "nobody resumes by accident"
run 79 "and nothing has changed by that"
resume "disk broke, backup of Sunday"
is $? 0 "a person says that it goes on" || note "$(cat "$W/resume")"
like "$(cat "$W/resume")" '^[0-9]+ entries of the log are lost' "and is told what is lost"
run 0 "then it goes on"
is "$(of_type break)" 1 "the log says so, in an entry of type break"
entries >"$W/log"
like "$(grep -A12 '^type break' "$W/log")" '^text disk broke, backup of Sunday$' "with the reason"
like "$(grep -A12 '^type break' "$W/log")" '^jobs again:1 lost:2 aside:0$' "what was lost, and what is entered again"
list=$R/archive/evidence/$(sed -n 's/^file \(config\/[0-9a-f]*\.break\) .*/\1/p' "$W/log")
grep -q "^lost $b\$" "$list" && grep -q "^lost $c\$" "$list"
ok $? "job by job" || note "$(cat "$list")"
is "$(of_type reject)" 1 "the refusal is in the log again"
is "$(results D)" 1 "what waited in the folder is sealed"
audited 0 "the rest is proven"
like "$(cat "$W/audit")" '^break: evidence/log entry [0-9]+ says' "and the break is shown"
audited 0 "a checkpoint from before the break fits" --since "$W/at-backup"
audited 2 "one of what was lost can not be told" --since "$W/newest"
send C
run 0 "who still has a lost letter sends it again"
is "$(find "$R"/archive/20*/*/*/*/original.tif -exec sha256sum {} + | grep -c "$(sha "$W/C.tif")")" 1 "and it is sealed again"
audited 0 "all is proven"
ls "$R"/anchor/given-up.* >/dev/null && [ ! -e "$R/anchor/resume" ]
ok $? "the record that was given up is kept aside"
resume "again"
is $? 64 "there is nothing to resume any more"

# --- 2. the state alone: a spool that does not know what was done
again
restore state
signatures=$(grep -c '^C_Sign 0x0' "${P11FAULT_LOG:-/dev/null}")
starts=$(grep -c '^C_Login 0x0' "${P11FAULT_LOG:-/dev/null}")
run 0 "an older spool beside the right log: nothing is in doubt"
like "$(tail -n 40 "$LOG")" "job $b: the spool is older than the log: it was sealed already" "and what was sealed is known"
is "$(entries | grep -A6 '^type job' | grep -c "^job $b")" 1 "its entry stands once"
is "$(($(grep -c '^C_Sign 0x0' "${P11FAULT_LOG:-/dev/null}") - signatures - $(grep -c '^C_Login 0x0' "${P11FAULT_LOG:-/dev/null}") + starts))" 0 \
    "the token was not asked for it again"
audited 0 "all is proven" --since "$W/newest"
is "$(of_type break)" 0 "no break was needed"

# --- 3. archive and state, the record is newer: the usual restore of a whole machine
again
restore archive state
run 79 "archive and state restored, the record elsewhere is newer: refused"
resume "restored"
send E
run 0 "resumed, it goes on"
is "$(results B) $(one_each)" "2 0" "the letter that waited in the backup is finished with the signature it had"
is "$(find "$R"/archive/20*/*/*/*/ -maxdepth 0 -name "$b" | wc -l)" 1 "under its old number"
audited 0 "all is proven"

# --- 4. the record alone is older, or missing
again
restore anchor
run 79 "an older record: refused"
resume "the record was restored"
run 0 "resumed"
like "$(entries | grep -A12 '^type break')" '^jobs again:0 lost:0 aside:0$' "nothing was lost"
audited 0 "all is proven, also against the newest checkpoint" --since "$W/newest"
again
rm "$R/anchor/checkpoint"
run 79 "no record at all: refused"
resume "the record is gone"
run 0 "resumed"
like "$(entries | grep -A12 '^type break')" '^anchor -$' "the log says that there was none"
audited 0 "all is proven"

# --- 5. the evidence alone is older than the documents; and a word that is taken back
again
cp -a "$R/archive/evidence" "$W/evidence.new"
chmod -R u+w "$R/archive/evidence" && rm -rf "$R/archive/evidence" && cp -a "$W/backup/archive/evidence" "$R/archive/"
run 79 "an older log beside newer documents: refused"
resume "only the log"
cp -a "$R/anchor/resume" "$W/word"
chmod -R u+w "$R/archive/evidence" && rm -rf "$R/archive/evidence" && cp -a "$W/evidence.new" "$R/archive/evidence"
run 0 "the newer log is found after all: the word is void"
is "$(of_type break)" 0 "and the log has no break"
again
chmod -R u+w "$R/archive/evidence" && rm -rf "$R/archive/evidence" && cp -a "$W/backup/archive/evidence" "$R/archive/"
cp -a "$W/word" "$R/anchor/resume"
run 0 "it is not found: resumed"
like "$(entries | grep -A12 '^type break')" '^jobs again:1 lost:2 aside:2$' "documents that nothing proves are put aside"
[ -d "$R/archive/.orphans/$b" ] && [ -d "$R/archive/.orphans/$c" ]
ok $? "not deleted"
audited 2 "and audit can not tell about them"

# --- 6. a sender's copy whose job is lost with the spool
again
tsa_fault tsa=down >/dev/null
send F
run 75 "a letter is under way"
is "$(ls "$R/in/$WORK")" F.tif "its receipt lies in work/"
restore archive state
tsa_fault clear >/dev/null
resume "spool lost"
run 0 "the spool that knew it is lost: resumed"
is "$(results F)$(ls "$R/in/$WORK")" 1 "the letter is taken in again from its receipt"
audited 0 "all is proven"

# --- 7. an archive that is lost altogether
again
chmod -R u+w "$R/archive" && rm -rf "$R/archive" && mkdir "$R/archive"
run 79 "an empty archive: refused"
resume "no backup"
run 0 "resumed from nothing"
entries >"$W/log"
is "$(sed -n '/^== 0$/,/^== 1$/p' "$W/log" | grep -c '^type break$')" 1 "the break is its first entry"
audited 0 "what follows is proven"

# --- 8. the log's key, the record or the checkpoint is missing, damaged or another
stops() { # word sentence: a restart would not help, and status knows why
	: >"$LOG"
	rm -f "$R/state/stopped"
	run 79 "$2: the daemon stops for good"
	like "$(cmd status)" "seals nothing: $1: " "and status says why"
	grep -q "bring back what is damaged.*$R/state/evidence.key" "$LOG"
	ok $? "and its journal what to do"
}
mv "$R/state/evidence.key" "$W/key"
stops key-missing "the log's key is missing"
openssl genpkey -algorithm ed25519 -out "$R/state/evidence.key" 2>/dev/null && chmod 400 "$R/state/evidence.key"
stops log-inconsistent "another key"
echo none >"$W/none" && install -m 400 "$W/none" "$R/state/evidence.key"
stops key-missing "a file that is no key"
install -m 440 "$W/key" "$R/state/evidence.key"
stops key-missing "a key that others may read"
install -m 400 "$W/key" "$R/state/evidence.key"
cp "$R/anchor/checkpoint" "$W/record"
: >"$R/anchor/checkpoint"
stops log-inconsistent "an empty record"
cp "$W/record" "$R/anchor/checkpoint"
log=$R/archive/evidence/log/checkpoint
cp -a "$log" "$W/head"
python3 - "$log" <<'PY'
import base64, sys
text = open(sys.argv[1]).read()
head, line = text.rstrip("\n").rsplit(" ", 1)
raw = bytearray(base64.b64decode(line))
raw[-1] ^= 1
open(sys.argv[1] + ".new", "w").write(head + " " + base64.b64encode(raw).decode() + "\n")
PY
mv -f "$log.new" "$log"
stops signature-wrong "a checkpoint with a wrong signature"
cp -a "$W/head" "$log"
run 0 "brought back: it goes on"
[ ! -e "$R/state/stopped" ]
ok $? "and nothing says that it stopped"
finish
