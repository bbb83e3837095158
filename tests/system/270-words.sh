#!/bin/bash
# limit: 120
# `sealroom words`: the words of scans and of PDFs with text, where they stand, in each format.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util pdftotext xmllint
need_program sealroom sealroom-scan
room_new
J=$TOOLS/words-judge CORPUS=$TOP/tests/data/corpus
words() { # NAME ARGUMENT...: output in $W/NAME, status in $rc
	cmd words "${@:2}" >"$W/$1" 2>"$W/err"
	rc=$?
}
atmost() { awk -v v="$1" -v m="$2" 'BEGIN { exit !(v != "" && v <= m) }'; }

# Scans, against what the generator drew.
while read -r f page lost; do
	words "$f.tsv" "$SCANS/$f" --pages "$page"
	is $rc 0 "$f: its words are told" || note "$(cat "$W/err")"
	miss=$("$J" truth "$W/$f.tsv" "$page" "$SCANS/truth/${f%.*}.p$page.txt")
	atmost "${miss%/*}" "$lost"
	ok $? "$f: all but $lost of the words that were drawn ($miss)"
	off=$("$J" place "$W/$f.tsv" "$SCANS/KEYWORDS.tsv" "$f" "$page")
	atmost "$off" 3
	ok $? "$f: its keyword stands where it was drawn, within 3 points ($off)"
	is "$(cut -f1 "$W/$f.tsv" | sort -u | grep -vx page)" "$page" "$f: of that page only"
done <<-LIST
	de-brief.tif 2 2
	en-turned.tif 1 2
	de-schief.tif 1 1
LIST
off=$("$J" place "$W/en-turned.tif.tsv" "$SCANS/KEYWORDS.tsv" en-invoice.png 1)
atmost "$off" 3
[ $? = 1 ]
ok $? "the judge misses the keyword of another document"

# The sign of a percentage stands apart from its number where it was set so, and only there.
words table.tsv "$CORPUS/docs/de-querformat.png"
is "$(cut -f11 "$W/table.tsv" | grep -cx '%')" "$(tr ' ' '\n' <"$CORPUS/truth/de-querformat.p1.txt" | grep -cx '%')" \
    "as many % stand alone as were drawn alone"
/usr/bin/python3 - "$W/percent.png" <<'PY'
import sys
from PIL import Image, ImageDraw, ImageFont
page = Image.new("L", (1240, 700), 255)
for i, face in enumerate(["DejaVuSans", "DejaVuSerif"]):
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/%s.ttf" % face, 34)
    for j, line in enumerate(["Rabatt von 20% und Skonto 3 %", "Anteil 12,5% statt 12,5 % im Jahr"]):
        ImageDraw.Draw(page).text((90, 80 + 260 * i + 110 * j), line, fill=0, font=font)
page.save(sys.argv[1], dpi=(150, 150))
PY
words percent.tsv "$W/percent.png"
is "$(cut -f11 "$W/percent.tsv" | grep '%\|[0-9]' | tr '\n' ' ')" "20% 3 % 12,5% 12,5 % 20% 3 % 12,5% 12,5 % " "what was drawn joined stays joined"
# A signature is no word: what is hardly believed was drawn nevertheless.
words signed.tsv "$CORPUS/docs/en-invoice.png"
is "$rc $(awk -F'\t' 'NR > 1 && $10 < 50 { print $11 }' "$W/signed.tsv" | grep -vxFf <(tr -s ' ' '\n' <"$CORPUS/truth/en-invoice.p1.txt"))" \
    "0 " "no word is read from the signature"

# A PDF with text has its own words.
pdf=$CORPUS/docs/de-born-digital.pdf
words born.tsv "$pdf"
is $rc 0 "a PDF with text is read" || note "$(cat "$W/err")"
for page in 1 2; do
	read -r off miss < <("$J" pdf "$W/born.tsv" $page "$pdf")
	[ "${miss%/*}" = 0 ] && [ "${miss#*/}" -gt 100 ] && atmost "$off" 0.1
	ok $? "page $page: its words, where pdftotext -bbox has them (off by $off, $miss)"
done
awk -F'\t' -v OFS='\t' 'NR > 1 { $5 += 2; $7 += 2 } 1' "$W/born.tsv" >"$W/shifted.tsv"
read -r off miss < <("$J" pdf "$W/shifted.tsv" 1 "$pdf")
atmost "$off" 0.1
[ $? = 1 ]
ok $? "the judge sees words that are 2 points off ($off)"

# The same words in each format; half a unit of it may be lost in rounding.
words de-akte.tsv "$SCANS/de-akte.pdf"
while read -r name file format most; do
	words "$name.$format" "$file" --format "$format"
	xmllint --noout --nonet "$W/$name.$format" 2>"$W/err"
	is "$rc $?" "0 0" "$name: $format is well-formed XML" || note "$(cat "$W/err")"
	off=$("$J" same "$W/$name.tsv" "$W/$name.$format" 2>"$W/err")
	atmost "$off" "$most"
	ok $? "$name: $format has the words, boxes and confidence of TSV (off by $off)" || note "$(cat "$W/err")"
done <<-LIST
	born $pdf hocr 0.15
	born $pdf alto 0.031
	de-akte $SCANS/de-akte.pdf hocr 0.15
	de-akte $SCANS/de-akte.pdf alto 0.031
LIST
"$J" same "$W/shifted.tsv" "$W/born.alto" >"$W/out" && atmost "$(cat "$W/out")" 0.031
[ $? = 1 ]
ok $? "the judge sees a format with other boxes"
cmd --json words "$SCANS/de-akte.pdf" >"$W/akte.json" 2>"$W/err"
python3 - "$W/akte.json" "$W/de-akte.tsv" <<-'PY'
	import json, sys
	a = json.load(open(sys.argv[1]))
	rows = [r.rstrip('\n').split('\t') for r in open(sys.argv[2])][1:]
	words = [(p['page'], w['text'], w['conf'], w['box']) for p in a['pages'] for w in p['words']]
	sys.exit(words != [(int(r[0]), r[10], int(r[9]), [float(v) for v in r[4:8]]) for r in rows] or 'error' in a)
PY
ok $? "--json is one value with the same words"

# Pages, and what goes wrong.
cmd words "$SCANS/de-akte.pdf" --pages 2,1 >"$W/out" 2>"$W/err"
is "$? $(cut -f1 "$W/out" | uniq | paste -sd' ')" "0 page 1 2" "pages come in order"
for list in 1-3 x; do
	cmd words "$SCANS/de-akte.pdf" --pages $list >"$W/out" 2>"$W/err"
	is "$? $(wc -c <"$W/out")" "64 0" "--pages $list names no pages of a document of two"
done
like "$(cat "$W/err")" 'the file has 2; write as "2,5-9"' "which is said, and how it is written"
cmd words "$SCANS/de-akte.pdf" --format pdf >"$W/out" 2>"$W/err"
is $? 64 "a format that there is not is a mistake of usage"
cmd words "$SCANS/de-abgebrochen.tif" --format alto >"$W/out" 2>"$W/err"
is "$? $(wc -c <"$W/out")" "65 0" "of a broken file nothing is written"
like "$(cat "$W/err")" "document-incomplete" "but what is wrong with it"
cmd words "$SCANS/de-akte.pdf" >/dev/full 2>"$W/err"
is $? 74 "an output that takes nothing is an error" || note "$(cat "$W/err")"
finish
