#!/bin/bash
# limit: 300
# PDFs that programs wrote: their bytes stay, what is added stands where the reader
# sees it, and nothing else of what they show changes.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf pdftoppm pdfdetach pdfsig mutool
need_program sealroomd
room_new
LEVEL=B-B
RULES='approval : { when = { any = [ "Antrag" ]; }; place = { field = "Approval.Seal"; marks = "all"; }; seal = "stamp"; };
  paper : { when = { any = [ "Rechnung", "Lieferschein" ]; };
  place = { near = "Freigabe"; nth = "last"; side = "below"; size = [ "50mm", "20mm" ]; otherwise = "corner"; }; seal = "stamp"; };
  all : { when = "always"; place = { at = "bottom-right"; size = [ "50mm", "20mm" ]; margin = [ "10mm", "10mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"approval", "paper", "all"'
room_settings
BORN=$W/born
"$TOOLS/make-pdfs" "$BORN" || bail "the samples can be made"
qpdf --object-streams=generate "$BORN/letter.pdf" "$BORN/packed.pdf"
qpdf --linearize "$BORN/letter.pdf" "$BORN/linear.pdf"
qpdf --force-version=2.0 "$BORN/standard.pdf" "$BORN/pdf20.pdf"
printf '<?xml version="1.0"?><Invoice><ID>4711</ID></Invoice>\n' >"$W/factur-x.xml"
qpdf --add-attachment "$W/factur-x.xml" --mimetype=text/xml -- "$BORN/standard.pdf" "$BORN/factur.pdf"
printf 'junk' | cat "$BORN/standard.pdf" - >"$BORN/tail.pdf"
GOOD='letter standard turned-0 turned-90 turned-180 turned-270 mixed sideways form links packed linear pdf20 factur jbig2'
for f in "$BORN"/*.pdf; do drop "$f"; done
room_once --wait 60
is $? 0 "the daemon works until nothing is left to do" || daemon_said
D=$R/in/$DONE

shot() { pdftoppm -cropbox -gray -r 60 "$1" "$2"; }
for n in $GOOD; do
	[ -s "$D/$n.pdf" ]
	ok $? "$n.pdf is sealed" || { note "$(cat "$R/in"/*/"$n".pdf.txt)"; continue; }
	cmp -s -n "$(stat -c %s "$BORN/$n.pdf")" "$BORN/$n.pdf" "$D/$n.pdf"
	ok $? "$n: it begins with the bytes that came"
	judge_qpdf "$D/$n.pdf"
	ok $? "$n: qpdf finds nothing wrong" || note "$(cat "$W/qpdf.out")"
	judge_pdfsig "$D/$n.pdf"
	ok $? "$n: pdfsig calls the signature valid, over all of it"
	judge_mutool "$D/$n.pdf"
	ok $? "$n: mutool draws it without complaint" || note "$(cat "$W/mutool.out")"
	judge_ours "$D/$n.pdf"
	ok $? "$n: so says sealroom verify" || note "$(cat "$W/verify.out")"
	! grep -aq pdfaid "$D/$n.pdf"
	ok $? "$n: nobody claims PDF/A"
	job=$(grep -l "\"name\": \"$n.pdf\"" "$R"/archive/20*/*/*/*/job.json)
	shot "$BORN/$n.pdf" "$W/before-$n" && shot "$D/$n.pdf" "$W/after-$n"
	case $n in turned-*) unit=2 ;; *) unit=1 ;; esac
	"$TOOLS/samepages" "$W/before-$n" "$W/after-$n" 60 $unit "$job" >"$W/same.out" 2>&1
	ok $? "$n: it looks as before but for the stamp, which is where the record says" || note "$(cat "$W/same.out")"
done
judge_cms "$D/mixed.pdf"
ok $? "openssl verifies the signature of one of them"

# The judge of looks is able to fail.
! "$TOOLS/samepages" "$W/before-letter" "$W/after-standard" 60 1 "$job" >/dev/null 2>&1
ok $? "another document would not look the same"

# Text: recognised where there was none, as it was elsewhere.
for i in 1 2 3; do
	pdftotext -f $i -l $i "$BORN/mixed.pdf" "$W/was.$i"
	pdftotext -f $i -l $i "$D/mixed.pdf" "$W/is.$i"
done
cmp -s "$W/was.1" "$W/is.1"
ok $? "a page with text keeps it and gets no other"
like "$(cat "$W/is.2")" 'Bezeichnung der Waren' "a scanned page beside it can be searched"
like "$(mutool draw -q -F txt "$D/mixed.pdf" 2)" 'Unterschrift der Annahme' "by other readers, too"
is "$(tr -d '[:space:]' <"$W/is.3")" "" "a drawing without words has none"
like "$(pdftotext "$D/sideways.pdf" -)" 'Unterschrift der Annahme' "writing that lies on its side can be searched"
pdfdetach -o "$W/detached.xml" -save 1 "$D/factur.pdf"
cmp -s "$W/factur-x.xml" "$W/detached.xml"
ok $? "an attachment comes out as it went in"
job=$(grep -l '"name": "factur.pdf"' "$R"/archive/20*/*/*/*/job.json)
is "$(python3 -c 'import json, sys; print([(f["name"], f["sha256"]) for f in json.load(open(sys.argv[1]))["attachments"]])' "$job")" \
    "[('factur-x.xml', '$(sha "$W/factur-x.xml")')]" "and is on record by its hash"

# A form with a field for the seal, which shows on the other pages, too.
f=$D/approval.pdf
[ -s "$f" ] && cmp -s -n "$(stat -c %s "$BORN/approval.pdf")" "$BORN/approval.pdf" "$f"
ok $? "a form with a field for the seal is sealed, its bytes kept" || note "$(cat "$R/in"/*/approval.pdf.txt)"
judge_qpdf "$f" && judge_pdfsig "$f" && judge_mutool "$f" && judge_ours "$f"
ok $? "qpdf, pdfsig, mutool and we are content"
pdfsig -nocert "$f" >"$W/sigs" 2>&1
is "$(grep -c '^Signature #' "$W/sigs") $(sed -n 's/.*Signature Field Name: *//p' "$W/sigs")" "1 Approval.Seal" \
    "there is one signature, in the form's own field"
like "$(qpdf --qdf --object-streams=disable "$f" - 2>/dev/null | grep -a -A3 TransformMethod)" FieldMDP "which locks what the form wants locked"
line=$(mutool draw -q -F txt "$f" 2 | tail -n 3)
for i in 1 3; do
	like "$(mutool draw -q -F txt "$f" $i)" "$(echo "$line" | sed -n 1p)" "page $i shows the seal's text, too"
	shot "$BORN/approval.pdf" "$W/before-approval" && shot "$f" "$W/after-approval"
	! cmp -s "$W/before-approval-$i.pgm" "$W/after-approval-$i.pgm"
	ok $? "and is drawn with it"
done
sed 's,/Subtype/Stamp/F 196,/Subtype/Stamp/F 194,' "$f" >"$W/hidden.pdf"
! cmp -s "$f" "$W/hidden.pdf" && ! judge_pdfsig "$W/hidden.pdf"
ok $? "with the marks hidden afterwards the signature is not valid any more"

expect() { # file, folder, reason
	[ -f "$R/in/$2/$1.pdf" ] && cmp -s "$BORN/$1.pdf" "$R/in/$2/$1.pdf"
	ok $? "$1.pdf lies in $2/, untouched"
	"$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$BORN/$1.pdf")" 'BEGIN { RS = "== " } index($0, h)' >"$W/entry"
	like "$(cat "$W/entry")" "^reason $3" "$1: the log says $3"
}
for n in script launch calc needs movie folio; do expect $n "$HELD" document-active; done
expect xfa "$ERROR" document-xfa
expect symbols "$ERROR" symbol-coding
expect tail "$ERROR" document-incomplete

# What is tried is what is done.
cmd try "$BORN/mixed.pdf" --folder post --png "$W/try.png" --json >"$W/try.json" 2>"$W/try.err"
is $? 0 "sealroom try reads such a PDF" || note "$(cat "$W/try.err")"
cat >"$W/places.py" <<'PY'
import json, sys
tried, done = (json.load(open(p)) for p in sys.argv[1:])
box = [round(v * 25.4 / 72000) for v in tried["result"]["box_mpt"][:2]]
place = done["place"]
print("same" if [tried["result"]["page"], *box] == [place["page"], round(place["x_mm"]), round(place["y_mm"])] else (box, place))
PY
is "$(python3 "$W/places.py" "$W/try.json" "$(grep -l '"name": "mixed.pdf"' "$R"/archive/20*/*/*/*/job.json)")" same \
    "and names the place where the stamp came"
[ -s "$W/try.png" ]
ok $? "with a picture"

# Marks: tried, recorded, and where qpdf finds them in the sealed file.
cmd try "$BORN/approval.pdf" --folder post --png "$W/try.png" --page 3 --json >"$W/try.json" 2>"$W/try.err"
is $? 0 "a page may be named for the picture" || note "$(cat "$W/try.err")"
cat >"$W/marks.py" <<'PY'
import json, sys
o = json.load(open(sys.argv[1]))
marks = o["result"]["marks"] if "result" in o else o["marks"]
for page, box in sorted((p, m["box_pt"]) for m in marks for p in m["pages"]):
    print("%d %.1f %.1f %.1f %.1f" % (page, *box))
PY
there=$("$TOOLS/widget" "$D/approval.pdf" --marks)
is "$(echo "$there" | cut -d' ' -f1 | xargs)" "1 3" "qpdf finds a mark on each of the other pages"
is "$(python3 "$W/marks.py" "$W/try.json")" "$there" "try says where"
is "$(python3 "$W/marks.py" "$(grep -l '"name": "approval.pdf"' "$R"/archive/20*/*/*/*/job.json)")" "$there" "and so does the record"
cat >"$W/framed.py" <<'PY'
"""PNG X0 Y0 X1 Y1: is there a frame of the seal's colour, which is drawn at 100 dots an inch, on all sides of the box, and none inside?"""
import sys
from PIL import Image
im = Image.open(sys.argv[1]).convert("RGB")
x0, y0, x1, y1 = (float(v) * 100 / 72 for v in sys.argv[2:])
blue = lambda x, y: any(im.getpixel((round(x) + d, round(y) + f)) == (20, 80, 220) for d in range(-4, 5) for f in range(-4, 5))
x, y = (x0 + x1) / 2, (y0 + y1) / 2
print("landscape" if im.width > im.height else "portrait")
sys.exit(blue(x, y) or not all((blue(x0, y), blue(x1, y), blue(x, y0), blue(x, y1))))
PY
# shellcheck disable=SC2046
framed() { /usr/bin/python3 "$W/framed.py" "$W/try.png" $(echo "$there" | sed -n 's/^3 //p'); }
is "$(framed) $?" "landscape 0" "and the picture of that page shows it there"
cmd try "$BORN/approval.pdf" --folder post --png "$W/try.png" >"$W/out" 2>&1
is "$(framed) $?" "portrait 0" "as that of the seal's page does the seal"
is "$(sed -n 's/^  mark on //p' "$W/out")" "pages 1, 3: $(echo "$there" | sed -n 's/^3 \([^ ]* [^ ]*\) \(.*\)/\1 to \2 pt/p')" "people read it in points" ||
    note "$(cat "$W/out")"
cmd try "$BORN/mixed.pdf" --folder post --png "$W/try.png" --page 2 >"$W/out" 2>&1
! framed >/dev/null && ! grep -q 'mark on' "$W/out"
ok $? "a page without a mark shows none"
cmd try "$BORN/approval.pdf" --folder post --png "$W/try.png" --page 4 >"$W/out" 2>&1
is $? 64 "there is no fourth page" || note "$(cat "$W/out")"
cmd try "$BORN/approval.pdf" --folder post --page 3 >"$W/out" 2>&1
is $? 64 "nor a page without a picture" || note "$(cat "$W/out")"
cmd try "$BORN/letter.pdf" --folder post --json >"$W/try.json" 2>"$W/try.err"
is "$(python3 -c 'import json, sys; print("marks" in json.load(open(sys.argv[1]))["result"])' "$W/try.json")" False "where there are no marks, none are told"
finish
