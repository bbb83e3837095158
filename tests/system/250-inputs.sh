#!/bin/bash
# limit: 400
# What people send besides what scanners write: sealed, and not one pixel changed; and
# what becomes of blank pages.
. "$(dirname "$0")/../lib.sh"
need python3 pdfimages pdfinfo softhsm2-util
/usr/bin/python3 -c 'import PIL' 2>/dev/null || skip_all "python3-pil is not installed: make deps"
need_program sealroomd
room_new
LEVEL=B-B
SCAN_LANGUAGES='"deu"'
SCAN_EXTRA='blank = "drop";'
room_settings
mkdir "$W/odd" && "$TOOLS/odd-scans" make "$W/odd" || bail "the scans can be made"
for f in "$W/odd"/*; do drop "$f"; done
room_once --wait 20
is $? 0 "the daemon works until nothing is left to do" || daemon_said

for f in "$W/odd"/*; do
	name=$(basename "$f") pdf=$R/in/$DONE/$(basename "${f%.*}").pdf
	case $name in duplex.tif | blank.tif) continue ;; esac # asked for below
	# two that differ by their ending only: one of them has got another name
	[ "$name" = cmyk.tif ] && grep -q DCTDecode "$pdf" && pdf="$R/in/$DONE/cmyk (2).pdf"
	[ "$name" = cmyk.jpg ] && ! grep -q DCTDecode "$pdf" && pdf="$R/in/$DONE/cmyk (2).pdf"
	[ -s "$pdf" ] && judge_pdfsig "$pdf" && judge_qpdf "$pdf"
	ok $? "$name is sealed" || { note "$(find "$R/in" -name "${name%.*}*" -exec sh -c 'echo "$1"; cat "$1.txt" 2>/dev/null' _ {} \;)"; continue; }
	said=$("$TOOLS/odd-scans" same "$f" "$pdf" 2>&1)
	ok $? "$name: its image is what it was" || note "$said" "$(pdfimages -list "$pdf")"
	text_of "$pdf" | grep -qE 'Rechnung Nr. 4711|Seite 1 von 4'
	ok $? "$name: its text is read" || note "$(text_of "$pdf")"
	case $name in
	cmyk.* | few.png | jpeg.tif | lossless.webp) # part 1 knows neither masks nor JPEG 2000
		judge_pdfa "$pdf"
		ok $? "$name: PDF/A, says preflight of its twin" || note "$(cat "$W/pdfa.out")"
		;;
	esac
done
"$TOOLS/odd-scans" same "$W/odd/few.png" "$R/in/$DONE/deep.pdf" >/dev/null 2>&1
[ $? = 1 ]
ok $? "the judge of images knows two apart"
like "$(pdfinfo "$R/in/$DONE/phone.pdf" | grep 'Page size')" '595\.[0-9]* x 307' "phone.jpg stands as EXIF says"

# Blank backs are gone from the result, not from the original, and are on record.
is "$(pdfinfo "$R/in/$DONE/duplex.pdf" | sed -n 's/^Pages: *//p')" 2 "the blank backs of duplex.tif are dropped"
like "$(text_of "$R/in/$DONE/duplex.pdf" | tr '\n' ' ')" 'Seite 1 von 4.*Seite 3 von 4' "what is written is there, in its order"
judge_pdfsig "$R/in/$DONE/duplex.pdf" && judge_pdfa "$R/in/$DONE/duplex.pdf"
ok $? "and it is sealed"
archived=$(grep -rl 'duplex.tif' "$R/archive" --include=job.json | head -n 1)
is "$(python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(j["pages"], j["blank_dropped"])' "$archived")" "2 [2, 4]" \
    "job.json says which"
cmp -s "$W/odd/duplex.tif" "$(dirname "$archived")/original.tif"
ok $? "the original in the archive has them"
"$TOOLS/logread" "$R/archive" | grep -qx 'pages 2 dropped 2,4'
ok $? "the log says which"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive holds" || note "$(cat "$W/audit")"
grep -q 'All pages of this document are blank' "$R/in/$HELD/blank.tif.txt"
ok $? "a document of blank pages waits for a person"
room_start
wait_for 20 cmd status
job=$(cmd status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["jobs"][0]["id"])')
cmd release "$job" --rule all >"$W/release" 2>&1
ok $? "who can be asked" || note "$(cat "$W/release")"
wait_for 60 test -s "$R/in/$DONE/blank.pdf"
is "$(pdfinfo "$R/in/$DONE/blank.pdf" | sed -n 's/^Pages: *//p')" 2 "and has it sealed as it is"
room_stop
is $? 0 "the daemon ends well"
finish
