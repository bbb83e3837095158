#!/bin/bash
# limit: 400
# A held document comes with a page on which a person shows the place: offline, by mouse
# or keyboard, in German and English.  The ticket it saves says exactly that place.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf chromium chromedriver
need_program sealroomd sealroom
room_new
LEVEL=B-B
RULES='
  brief : { when = { any = [ "Siegel der Behörde" ]; typos = 1; };
            place = { near = "Siegel der Behörde"; typos = 1; nth = "only"; side = "below"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; };
  gross : { when = { any = [ "Urkunde" ]; }; place = { at = "top-left"; size = [ "70mm", "70mm" ]; }; seal = "stamp"; };
  frage : { when = "always"; hold = { en = "Nobody knows this letter."; de = "Keiner <b>kennt</b> </script> diesen Brief."; }; };'
FOLDER_RULES='"brief", "gross", "frage"'
FOLDER_EXTRA="language = \"de\"; release = { by = [ \"$(id -un)\" ]; };"
room_settings
mkdir "$W/dl"
drop "$SCANS/de-zweimal.tif"
drop "$SCANS/en-letter.tif"
room_once
is $? 0 "two documents are held" || daemon_said
HELD=offen
page=$R/in/$HELD/de-zweimal.tif.html
[ -s "$page" ]
ok $? "each has a page beside it" || note "$(ls "$R/in/$HELD")"
[ "$(stat -c %s "$page")" -le 2097152 ]
ok $? "of at most 2 MiB"
! grep -qE '(src|href)="(https?:|//)|url\(|@import' "$page"
ok $? "it names nothing outside of itself"
grep -q "default-src 'none'" "$page"
ok $? "and forbids itself to"

at_page() { "$TOOLS/placement" "$@" >"$W/out" 2>"$W/err"; }
at_page "$page" "$W/dl" at ink said "keys PageDown Right Right Shift+Down" at "shot $W/de.png" "snap off" "drag 22,40" at ink "press seal"
is $? 0 "a person works with it; no network is asked, and nothing is wrong with the page" || note "$(cat "$W/err")"
mapfile -t line <"$W/out"
# the first keyword, from the truth, in mm: the box stands beside it
IFS=$'\t' read -r _ _ _ _ _ x1 _ < <(grep "^de-zweimal.tif	" "$SCANS/KEYWORDS.tsv")
awk -v k="$x1" '{ exit !($2 * 72 / 25.4 > k && $2 * 72 / 25.4 < k + 20 && $4 == 50 && $5 == 20) }' <<<"${line[0]}"
ok $? "the box has the rule's size and stands beside the first keyword" || note "${line[0]} keyword ends at $x1 pt"
is "${line[1]}" 0 "on no ink"
like "${line[2]}" '^Seite 1: [0-9]+(,[0-9])? mm von links' "its place is said in German"
is "$(awk -v a="${line[0]}" -v b="${line[3]}" 'BEGIN { split(a, p, " "); split(b, q, " "); printf "%.1f %.1f", q[2] - p[2], q[3] - p[3] }')" "2.0 10.0" \
    "arrow keys move it by 1 mm, with Shift by 10"
awk '{ exit !($1 == 1 && $2 > 21.6 && $2 < 22.4 && $3 > 39.6 && $3 < 40.4) }' <<<"${line[4]}"
ok $? "the mouse moves it" || note "${line[4]}"
[ "${line[5]:-0}" -gt 0 ]
ok $? "and it says that it covers ink there"
ticket=$(find "$W/dl" -name 'de-zweimal.tif.ticket')
said() { python3 -c 'import json, sys; t = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$ticket" "$1"; }
is "$(said 't["v"], t["sha256"]')" "(1, '$(sha "$SCANS/de-zweimal.tif")')" "the ticket is bound to the document"
is "$(said 'sorted(t["decision"]), t["decision"]["rule"], t["decision"]["at"]["page"]')" "(['at', 'rule'], 'brief', 1)" "it names rule and page"
is "$(said '"%.1f %.1f" % (t["decision"]["at"]["x"], t["decision"]["at"]["y"])')" "$(awk '{ printf "%.1f %.1f", $2, $3 }' <<<"${line[4]}")" \
    "and the very place that was seen"

# Dropped, it acts: the seal is where the box was, within half a millimetre.
cp "$ticket" "$R/in/.t" && mv "$R/in/.t" "$R/in/de-zweimal.tif.ticket"
room_once
is $? 0 "the ticket is dropped" || daemon_said
[ -s "$R/in/fertig/de-zweimal.pdf" ] && [ ! -e "$page" ]
ok $? "the document is sealed, and its page is gone" || note "$(find "$R/in" -type f)"
read -r n x y _ <<<"${line[4]}"
awk -v n="$n" -v x="$x" -v y="$y" '{ dx = $2 * 25.4 / 72 - x; dy = $3 * 25.4 / 72 - y; exit !($1 == n && dx * dx + dy * dy <= 0.25) }' \
    <<<"$("$TOOLS/widget" "$R/in/fertig/de-zweimal.pdf")"
ok $? "at the place that was seen" || note "$("$TOOLS/widget" "$R/in/fertig/de-zweimal.pdf") for ${line[4]}"

# Names and sentences are text, whatever they contain; and in English.
page=$R/in/$HELD/en-letter.tif.html
at_page "$page" "$W/dl" reason "press reject No </script><b>place</b>"
is "$? $(cat "$W/out")" "0 Keiner <b>kennt</b> </script> diesen Brief." "tags in a sentence are shown, not obeyed" || note "$(cat "$W/err")"
ticket=$W/dl/en-letter.tif.ticket
is "$(said 't["decision"]')" "{'reject': 'No </script><b>place</b>'}" "a rejection carries its sentence"
sed -i 's/language = "de";/language = "en";/' "$R/sealroom.conf"
cp "$SCANS/de-zweimal.tif" "$W/twice.tif"
drop "$W/twice.tif"
room_once
is $? 0 "a folder in English holds one, too" || daemon_said
at_page "$R/in/held/twice.tif.html" "$W/dl" said reason
like "$? $(tr '\n' ' ' <"$W/out")" '^0 Page 1: [0-9.]+ mm from the left.*more than once' "the page is in English" || note "$(cat "$W/err")"

# The same page for any file, before it is dropped.
cmd place "$SCANS/de-zweimal.tif" --folder post --out "$W/any.html" >"$W/out" 2>&1
is $? 0 "the command writes a page, too" || note "$(cat "$W/out")"
at_page "$W/any.html" "$W/dl" at
is "$? $(cat "$W/out")" "0 ${line[0]}" "on which the box begins at the same place" || note "$(cat "$W/err")"
cmd place "$SCANS/de-zweimal.tif" --folder nowhere --out "$W/none.html" >"$W/out" 2>&1
is "$? $([ -e "$W/none.html" ] && echo there)" "64 " "a folder that is not there is a mistake of usage, and leaves no file"
finish
