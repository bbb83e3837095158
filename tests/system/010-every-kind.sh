#!/bin/bash
# limit: 600
# Letters in every kind of file come back sealed, and tools that are not ours agree.
. "$(dirname "$0")/../lib.sh"
need pdfsig qpdf mutool pdftotext openssl python3 softhsm2-util
need_program sealroomd
room_new
tsa_start

letters="de-brief.tif en-letter.tif de-rechnung.jpg en-invoice.png de-akte.pdf en-turned.tif en-sideways.tif de-schief.tif"
for f in $letters; do drop "$SCANS/$f"; done
room_once
is $? 0 "the daemon works until nothing is left to do" || daemon_said
is "$(cd "$R/in" && find . -maxdepth 1 -type f | sort)" "" "the hot folder is empty"
is "$(find "$R/in/work" -type f 2>/dev/null)" "" "no receipt is left"

for f in $letters; do
	pdf=$R/in/$DONE/${f%.*}.pdf
	[ -s "$pdf" ]
	ok $? "$f came back as ${f%.*}.pdf" || continue
	judge_pdfsig "$pdf"; ok $? "$f: pdfsig finds the signature valid and the whole file signed" || note "$(pdfsig "$pdf" 2>&1)"
	judge_qpdf "$pdf"; ok $? "$f: qpdf finds no fault" || note "$(cat "$W/qpdf.out")"
	judge_mutool "$pdf"; ok $? "$f: mutool draws it without a warning" || note "$(cat "$W/mutool.out")"
	judge_cms "$pdf"; ok $? "$f: openssl verifies signature, chain and CAdES attributes" || note "$(cat "$W/cms.err")"
	judge_ts "$pdf"; ok $? "$f: openssl verifies the time-stamp" || note "$(cat "$W/ts.out")"
	judge_ours "$pdf"; ok $? "$f: sealroom verifies it" || note "$(cat "$W/verify.out")"
	judge_pdfa "$pdf"; ok $? "$f: preflight finds no fault in a 1b twin" || note "$(cat "$W/pdfa.out")"
done

# What was read is what stands there.
while IFS=$'\t' read -r f page word x0 y0 x1 y1; do
	case " $letters " in *" $f "*) ;; *) continue ;; esac
	pdf=$R/in/$DONE/${f%.*}.pdf
	off=$("$TOOLS/textcheck" place "$pdf" "$page" "$x0" "$y0" "$x1" "$y1" "$word")
	awk -v o="$off" 'BEGIN { exit !(o != "not found" && o + 0 <= 4) }'
	ok $? "$f: \"$word\" is found where it stands" || note "off by: $off"
done < <(tail -n +2 "$SCANS/KEYWORDS.tsv")
for truth in "$SCANS"/truth/*.txt; do
	b=$(basename "$truth" .txt)
	page=${b##*.p}
	f=$(cd "$SCANS" && ls "${b%.p*}".[a-z]* | head -n 1)
	case " $letters " in *" $f "*) ;; *) continue ;; esac
	got=$("$TOOLS/textcheck" words "$R/in/$DONE/${f%.*}.pdf" "$page" "$truth")
	awk -v s="${got%% *}" 'BEGIN { exit !(s >= 0.93) }'
	ok $? "$f page $page: its words are in the text layer (${got%% *})" || note "$got"
done

# The archive and the log, read with nothing of ours.
like "$("$TOOLS/logread" "$R/archive" --prove)" "entries proven" "the log's tiles, root and signature hold"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log")" 8 "the log has one entry a letter"
for f in $letters; do
	h=$(sha "$SCANS/$f")
	is "$(grep -c "^source .*sha256:$h" "$W/log")" 1 "$f: its bytes are named in the log"
	o=$(find "$R/archive" -name 'original.*' -exec sha256sum {} + | grep -c "^$h ")
	is "$o" 1 "$f: and lie untouched in the archive"
	grep -q "^sealed .*sha256:$(sha "$R/in/$DONE/${f%.*}.pdf")" "$W/log"
	ok $? "$f: what was given back is what was logged"
done
is "$(grep -cE 'de-brief|en-letter' "$W/log")" 0 "no name of a file stands in the log in the clear"
for day in "$R"/archive/20*/*/*/; do
	(cd "$day" && sha256sum --quiet -c manifest-sha256.txt) >"$W/manifest" 2>&1
	ok $? "sha256sum agrees with the day's manifest" || note "$(cat "$W/manifest")"
done
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "sealroom audit agrees" || note "$(cat "$W/audit")"
is "$(find "$R/archive" -path '*/20*' -type f -name 'sealed.pdf' -perm /222 | wc -l)" 0 "sealed files can not be written"
is "$(find "$R/state/events/new" -name '*-job-*.json' | wc -l)" 8 "an event lies ready for each"
is "$(find "$R/in/$DONE" -name '*.pdf' -perm 660 | wc -l)" 8 "results have the mode of the settings"
is "$(grep -ciE 'traceback|assert|core dumped|runtime error' "$LOG")" 0 "the daemon's log is calm" || daemon_said

# Every judge must be able to say no: the same file with one thing wrong.
good=$R/in/$DONE/de-brief.pdf
twin() { # kind, judge, sentence
	"$TOOLS/twist" "$1" "$good" "$W/twin.pdf" && ! "$2" "$W/twin.pdf"
	ok $? "$3"
}
twin content judge_pdfsig "pdfsig refuses a changed page"
twin append judge_pdfsig "pdfsig sees that something was added"
twin content judge_cms "openssl refuses a changed page"
twin cms judge_cms "openssl refuses another signature value"
twin range judge_cms "a byte range that ends early is refused"
twin tst judge_ts "openssl refuses another imprint"
twin xref judge_qpdf "qpdf refuses a lost cross-reference"
twin cut judge_qpdf "qpdf refuses a cut file"
twin cut judge_mutool "mutool complains of a cut file"
for kind in content cms tst range hole append cut; do
	twin $kind judge_ours "sealroom does not prove a twin with its $kind changed"
done
off=$("$TOOLS/textcheck" place "$R/in/$DONE/en-letter.pdf" 1 100 100 150 110 "Place of seal")
awk -v o="$off" 'BEGIN { exit !(o > 50) }'
ok $? "a keyword elsewhere would be noticed"
got=$("$TOOLS/textcheck" words "$R/in/$DONE/en-letter.pdf" 1 "$SCANS/truth/de-rechnung.p1.txt")
awk -v s="${got%% *}" 'BEGIN { exit !(s < 0.5) }'
ok $? "another letter's text would be noticed"
finish
