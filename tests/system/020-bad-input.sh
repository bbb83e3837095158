#!/bin/bash
# limit: 400
# What can not be sealed comes back with the reason, untouched, and harms nobody else.
. "$(dirname "$0")/../lib.sh"
need python3 qpdf softhsm2-util
need_program sealroomd
room_new
SCAN_EXTRA='max_pages = 3; max_pixels = 20000000; max_bytes = "8MiB"; blank = "keep";'
INCOMPLETE=1s
room_settings
tsa_start

B=$W/bad
mkdir "$B"
: >"$B/empty.tif"
head -c 9000 "$SCANS/de-brief.tif" >"$B/cut.tif"
cp "$SCANS/de-abgebrochen.tif" "$B/between-pages.tif"
head -c 60000 "$SCANS/de-rechnung.jpg" >"$B/cut.jpg"
head -c 40000 "$SCANS/en-invoice.png" >"$B/cut.png"
head -c 50000 "$SCANS/de-akte.pdf" >"$B/cut.pdf"
printf 'This is a text, not a scan.\n' >"$B/text.tif"
printf 'PK\003\004 and so on, no scan either' >"$B/letter.docx"
qpdf --encrypt secret secret 256 -- "$SCANS/de-akte.pdf" "$B/locked.pdf"
"$TOOLS/bad-scans" "$B" # zero-dpi.tif wide.png many-pages.tif loop.tif bomb.tif born-digital.pdf
head -c 9000000 /dev/urandom >"$B/big.tif"
(cd "$B" && sha256sum ./*) >"$W/sums"
for f in "$B"/*; do drop "$f"; done
drop "$SCANS/de-schief.tif" good.tif
room_once --wait 20
is $? 0 "the daemon works until nothing is left to do" || daemon_said
[ -s "$R/in/$DONE/good.pdf" ] && judge_pdfsig "$R/in/$DONE/good.pdf"
ok $? "the good letter among them is sealed"

expect() { # file, folder, words in the log, reason-file pattern
	local where=$R/in/$2/$1
	[ -f "$where" ]
	ok $? "$1 lies in $2/" || { note "$(find "$R/in" -name "$1*")"; return; }
	is "$(sha "$where")" "$(sha "$B/$1")" "$1 is untouched"
	[ -s "$where.txt" ]
	ok $? "$1 has its reason file" || return
	grep -q "$1" "$where.txt"
	ok $? "$1: the reason names the file" || note "$(cat "$where.txt")"
	is "$(tr -d '\r' <"$where.txt" | wc -c)" "$(($(wc -c <"$where.txt") - $(wc -l <"$where.txt")))" "$1: its lines end as Windows likes them"
	"$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$B/$1")" 'BEGIN { RS = "== " } index($0, h)' >"$W/entry"
	like "$(cat "$W/entry")" "$3" "$1: the log says why"
}
expect empty.tif "$ERROR" '^reason document-empty'
expect cut.tif "$ERROR" '^reason document-(incomplete|damaged)'
expect between-pages.tif "$ERROR" '^reason document-(incomplete|damaged)'
expect cut.jpg "$ERROR" '^reason document-(incomplete|damaged)'
expect cut.png "$ERROR" '^reason document-(incomplete|damaged)'
expect cut.pdf "$ERROR" '^reason document-(incomplete|damaged)'
expect text.tif "$ERROR" '^reason document-type-unknown'
expect letter.docx "$ERROR" '^reason document-type-unknown'
expect locked.pdf "$ERROR" '^reason document-encrypted'
[ -s "$R/in/$DONE/zero-dpi.pdf" ] && pdfinfo "$R/in/$DONE/zero-dpi.pdf" | grep -q 'Page size: .*A4'
ok $? "zero-dpi.tif is sealed: the page is the paper that it fits" || note "$(find "$R/in" -name 'zero-dpi*')"
expect wide.png "$ERROR" '^reason page-too-large'
expect bomb.tif "$ERROR" '^reason page-too-large'
expect many-pages.tif "$ERROR" '^reason too-many-pages'
expect loop.tif "$ERROR" '^reason document-(damaged|incomplete)'
[ -s "$R/in/$DONE/born-digital.pdf" ] && cmp -s -n "$(stat -c %s "$B/born-digital.pdf")" "$B/born-digital.pdf" "$R/in/$DONE/born-digital.pdf"
ok $? "a PDF that was not scanned is none of them: it is sealed as it is"

# Larger than the settings allow: it is not even copied, stays where it is, and is reported.
if [ -f "$R/in/big.tif" ]; then
	is "$(sha "$R/in/big.tif")" "$(sha "$B/big.tif")" "big.tif stays where it was, untouched"
	grep -q 'big.tif' "$LOG"
	ok $? "and the daemon says so"
else
	expect big.tif "$ERROR" '^reason document-too-large'
fi

# What we just made, once more: the seal's place is taken, by the first one.
cp "$R/in/$DONE/good.pdf" "$B/signed.pdf"
drop "$B/signed.pdf"
room_once --wait 20
is $? 0 "a second start works as well"
expect signed.pdf "$HELD" '^reason place-not-free'
is "$(find "$R/state/quarantine" -mindepth 1 -maxdepth 1 -type d | wc -l)" \
    "$(find "$R/in/$ERROR" -name '*.txt' | wc -l)" "a copy of each refused file is kept"
(cd "$B" && sha256sum --quiet -c "$W/sums")
ok $? "the senders' own copies are as they were"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive holds" || note "$(cat "$W/audit")"
finish
