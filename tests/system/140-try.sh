#!/bin/bash
# limit: 300
# What `sealroom try` tells is what happens: right place, or held with the reason.
. "$(dirname "$0")/../lib.sh"
need python3 qpdf softhsm2-util
need_program sealroomd
need_program sealroom
room_new
LEVEL=B-B
RULES='
  brief    : { when  = { any = [ "Siegel der Behörde" ];  typos = 1; };
               place = { near = "Siegel der Behörde";  typos = 1;  nth = "only";  side = "right";
                         shift = [ "2mm", "0mm" ];  size = [ "40mm", "20mm" ];  ink = "ignore"; };
               seal  = "stamp"; };
  rechnung : { when  = { all = [ "Rechnung" ];  typos = 1; };
               find  = { nummer = { after = [ "Rechnung Nr." ];  take = "[A-Z0-9-]+"; }; };
               place = { near = "Freigabe";  nth = "last";  side = "above";  size = [ "40mm", "20mm" ]; };
               seal  = "stamp";  name = "{find.nummer}.pdf"; };
  letter   : { when  = { any = [ "Place of seal", "Approved for payment" ];  typos = 1; };
               place = { near = "Place of seal";  typos = 1;  side = "below";  size = [ "40mm", "20mm" ];
                         otherwise = "corner:top-right";  margin = [ "10mm", "15mm" ];  ink = "ignore"; };
               seal  = "stamp"; };
  rest     : { when = "always";  hold = { en = "Nobody knows this letter.";  de = "Keiner kennt diesen Brief."; }; };'
FOLDER_RULES='"brief", "rechnung", "letter", "rest"'
room_settings

# try FILE: status in $rc, answer in $W/try.json
try() {
	cmd --json try "$1" --folder post --png "$W/try.png" >"$W/try.json" 2>"$W/try.err"
	rc=$?
}
said() { # expression over the answer a
	python3 -c 'import json, sys; a = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$W/try.json" "$1"
}
before=$(sha "$SCANS/de-rechnung.jpg")

# Keyword from the truth, side, and how far the box's corner may be off: 2 mm.
while read -r f side; do
	IFS=$'\t' read -r _ page _ x0 y0 x1 y1 < <(grep "^$f	" "$SCANS/KEYWORDS.tsv")
	try "$SCANS/$f"
	is "$rc $(said 'a["result"]["page"]')" "0 $page" "$f: try finds a place on page $page" || note "$(cat "$W/try.err")"
	[ "$(head -c 8 "$W/try.png" | tail -c 7 | head -c 3)" = PNG ]
	ok $? "$f: and draws it"
	off=$(said "max(abs(p / 1000 - q) for p, q in zip(a['result']['box_mpt'], {
	    'right': [$x1 + 5.669, ($y0 + $y1) / 2 - 28.346, $x1 + 119.055, ($y0 + $y1) / 2 + 28.346],
	    'above': [$x0, $y0 - 56.693, $x0 + 113.386, $y0],
	    'below': [$x0, $y1, $x0 + 113.386, $y1 + 56.693]}['$side']))")
	awk -v o="$off" 'BEGIN { exit !(o <= 5.669) }'
	ok $? "$f: it lies as the rule says ($side), within 2 mm" || note "off by $off pt"
	said '"%d %.1f %.1f %.1f %.1f" % (a["result"]["page"], *(v / 1000 for v in a["result"]["box_mpt"]))' >"$W/$f.place"
	said 'a["result"]["name"]' >"$W/$f.name"
	drop "$SCANS/$f"
done <<-LIST
	de-brief.tif right
	de-schief.tif right
	de-rechnung.jpg above
	en-letter.tif below
	en-turned.tif below
LIST
room_once
is $? 0 "the daemon seals them" || daemon_said
for f in de-brief.tif de-schief.tif de-rechnung.jpg en-letter.tif en-turned.tif; do
	name=$(cat "$W/$f.name")
	is "$("$TOOLS/widget" "$R/in/$DONE/${name:-${f%.*}.pdf}")" "$(cat "$W/$f.place")" "$f: the seal is exactly where try said"
done
is "$(cat "$W/de-rechnung.jpg.name")" RE-20261107.pdf "the result's name comes from the text"

try "$SCANS/en-invoice.png"
is "$rc $(said '"%.1f %.1f" % (a["rules"][2]["place"]["box"][1], a["rules"][2]["place"]["box"][3])')" "0 15.0 35.0" \
    "without its keyword the seal goes to the corner the rule names"
try "$SCANS/de-zweimal.tif"
is "$rc $(said 'a["result"]["hold"], len(a["rules"][0]["anchors"])')" "65 ('anchor-ambiguous', 2)" \
    "a keyword that stands there twice is held, with both places"
try "$SCANS/de-akte.pdf"
is "$rc $(said 'a["result"]["hold"], a["result"]["hold_text"]')" "65 ('held-by-rule', 'Nobody knows this letter.')" \
    "what no rule knows is held with the rule's reason"
is "$(said '[r["rule"] for r in a["rules"]]')" "['brief', 'rechnung', 'letter', 'rest']" "every rule is told"
try "$SCANS/de-abgebrochen.tif"
is "$rc $(said 'a["error"]')" "65 document-incomplete" "a broken file is refused with its reason"
printf 'no document' >"$W/text.tif"
try "$W/text.tif"
is "$rc $(said 'a["error"]')" "65 document-type-unknown" "so is what is no document"
cmd try "$SCANS/de-rechnung.jpg" --folder post >"$W/out" 2>&1
like "$(cat "$W/out")" 'find nummer: "RE-20261107"' "for people it is told in words" || note "$(cat "$W/out")"
cmd try "$SCANS/de-rechnung.jpg" --folder nowhere >"$W/out" 2>&1
is $? 64 "a folder that does not exist is a mistake of usage"
cmd try "$SCANS/de-rechnung.jpg" >"$W/out" 2>&1
is $? 64 "and so is none"
is "$(sha "$SCANS/de-rechnung.jpg")" "$before" "the file tried is untouched"

# Samples with what must become of them.
mkdir "$W/samples" && cp "$SCANS/de-rechnung.jpg" "$SCANS/de-zweimal.tif" "$W/samples/"
cmd rules test "$W/samples" >"$W/out" 2>&1
is $? 64 "samples without an expectation are none"
cmd rules test "$W/samples" --accept post >"$W/out" 2>&1
is "$? $(find "$W/samples" -name '*.expect' | wc -l)" "0 2" "they can be taken as they come out" || note "$(cat "$W/out")"
like "$(tr -d ' \n' <"$W/samples/de-zweimal.tif.expect")" '"folder":"post",.*"hold":"anchor-ambiguous"' "held is an outcome, too"
python3 - "$W/samples/de-rechnung.jpg.expect" "$W/de-rechnung.jpg.place" <<-'PY'
	import json, sys
	want = [float(v) * 25.4 / 72 for v in open(sys.argv[2]).read().split()[1:]]
	e = json.load(open(sys.argv[1]))
	sys.exit(not (max(abs(a - b) for a, b in zip(e['box'], want)) < 0.1 and e['values'] == {'nummer': 'RE-20261107'} and e['name'] == 'RE-20261107.pdf'))
PY
ok $? "place, value and name are those of the sealed letter" || note "$(cat "$W/samples/de-rechnung.jpg.expect")"
sed -i 's/RE-20261107"/RE-20261108"/; s/"page": 1/"page": 2/' "$W/samples/de-rechnung.jpg.expect"
cmd rules test "$W/samples" >"$W/out" 2>&1
is "$? $(grep -c '^ok' "$W/out")" "1 1" "one that comes out otherwise fails the run"
like "$(cat "$W/out")" 'find nummer: "RE-20261107", not "RE-20261108"' "and what differs is said" || note "$(cat "$W/out")"
printf '{ "folder": "post", "bux": [] }' >"$W/samples/de-rechnung.jpg.expect"
cmd --json rules test "$W/samples" >"$W/try.json" 2>"$W/err"
is "$? $(said 'a["passed"], a["failed"], "bux" in a["samples"][0]["differs"][0]')" "1 (1, 1, True)" "so does an expectation with a word that means nothing"

# The programs start once, whatever became of the sample before.
mkdir "$W/libexec" && ln -s "$BIN/sealroom-verify" "$W/libexec/"
printf '#!/bin/sh\necho started >>"%s/starts"\nexec "%s/sealroom-scan" "$@"\n' "$W" "$BIN" >"$W/libexec/sealroom-scan"
chmod +x "$W/libexec/sealroom-scan"
cp "$W/text.tif" "$SCANS/en-invoice.png" "$W/samples/" && rm "$W/samples/de-rechnung.jpg.expect"
SEALROOM_LIBEXEC=$W/libexec cmd --json rules test "$W/samples" --accept post >"$W/try.json" 2>"$W/err"
is "$? $(said 'a["passed"], a["failed"], len(a["samples"])') $(wc -l <"$W/starts")" "0 (4, 0, 4) 1" \
    "four samples, one of them no document, are read by one start of sealroom-scan" || note "$(cat "$W/err" "$W/try.json")"
is "$(python3 -c 'import json, sys; print(*(json.load(open(p)).get("hold", "sealed") for p in sys.argv[1:]))' "$W"/samples/*.expect)" \
    "sealed anchor-ambiguous sealed document-type-unknown" "and each comes out as it does alone"
SCAN_LANGUAGES='"xxx"' && room_settings && cmd --json rules test "$W/samples" >"$W/try.json" 2>"$W/err"
is "$? $(said 'a["passed"], a["failed"]')" "1 (0, 4)" "a reader that can not start fails them all" || note "$(cat "$W/err" "$W/try.json")"
finish
