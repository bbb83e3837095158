#!/bin/bash
# What a seal looks like: picture, QR code, colour, alignment, font; drawn alike by two
# viewers, the code read by a reader that is not ours, and faults named by the check.
. "$(dirname "$0")/../lib.sh"
need python3 qpdf java softhsm2-util pdftoppm pdfimages pdfsig mutool zbarimg
need_program sealroomd
need_program sealroom
room_new
LEVEL=B-B
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "70mm", "26mm" ]; }; seal = "stamp"; };'
room_settings
tsa_start
"$TOOLS/crest" "$W/crest.png"
cp "$SCANS/en-letter.tif" "$W/letter.tif"
cp "$W/crest.png" "$R/crest.png"
plain=$R/plain.conf
cp "$R/sealroom.conf" "$plain"
look() { # the look's other keys
	sed "s|look = { |&$1 |; s|{time:%d.%m.%Y %H:%M}|{time:long} שלום شركة|" "$plain" >"$R/sealroom.conf"
}
look 'image = "crest.png"; qr = "{id} {log}"; align = "center"; color = "#600020";'
cmd check >"$W/out" 2>&1
is $? 0 "the check finds nothing wrong" || note "$(cat "$W/out")"
drop "$W/letter.tif"
room_once
is $? 0 "a letter is sealed" || daemon_said
pdf=$R/in/$DONE/letter.pdf
judge_pdfsig "$pdf" && judge_qpdf "$pdf"
ok $? "pdfsig and qpdf are content"

# part 1, which the judge knows, has no soft masks; part 2 has (ISO 19005-2, 6.2.10)
judge_pdfa "$pdf" || { [ -s "$W/pdfa.out" ] && ! grep -v 'Soft Mask must be null' "$W/pdfa.out" | grep -qv '^ok'; }
ok $? "it is PDF/A, with text of three scripts" || note "$(cat "$W/pdfa.out")"
like "$(text_of "$pdf")" "$(date -u +'%-d %B %Y')" "the date is written as people of the folder write it"
like "$(text_of "$pdf")" 'שלום' "Hebrew is read as it was written"
like "$(text_of "$pdf")" 'شركة' "so is Arabic"

# --- what is seen -----------------------------------------------------------------------------
id=$("$TOOLS/logread" "$R/archive" | sed -n 's/^job  *//p' | tail -n 1)
pdftoppm -r 200 -png -singlefile "$pdf" "$W/poppler"
mutool draw -q -r 200 -o "$W/mupdf.png" "$pdf" 1
for viewer in poppler mupdf; do
	zbarimg -q --raw -Sdisable -Sqrcode.enable "$W/$viewer.png" >"$W/code.$viewer" 2>/dev/null
	is "$(cut -d' ' -f1 "$W/code.$viewer")" "$id" "the code says which job it is, as $viewer draws it"
done
read -r _ origin size root <"$W/code.poppler"
is "$(sed -n 1p "$R/archive/evidence/checkpoints/$size")/$(sed -n 3p "$R/archive/evidence/checkpoints/$size")" "$origin/$root" \
    "and it carries a head of the log that was published"
pdfimages -list "$pdf" | awk '$3 == "image" && $4 == 200 && $5 == 240' | grep -q rgb
ok $? "the picture is in the PDF pixel by pixel"
pdfimages -list "$pdf" | awk '$3 == "smask" && $4 == 200 && $5 == 240' | grep -q gray
ok $? "with its transparency"
# --- what the check finds ---------------------------------------------------------------------
cp "$W/letter.tif" "$R/letter.tif"
python3 - "$R/big.png" <<-'PY'
	import struct, sys, zlib
	def chunk(n, d): return struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
	rows = zlib.compress(bytes((1 + 3000 // 8) * 3000))
	open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 3000, 3000, 1, 0, 0, 0, 0)) +
	    chunk(b"IDAT", rows) + chunk(b"IEND", b""))
PY
for part in "image = \"nowhere.png\";:nowhere.png" "image = \"letter.tif\";:neither PNG nor JPEG" "image = \"big.png\";:pixels" \
    "font = \"crest.png\";:TrueType" "color = \"#ffe0e0\"; qr = \"{id}\";:too bright" "color = \"red\";:#RRGGBB" \
    "qr = \"{idd}\";:did you mean {id}" "align = \"middle\";:\"center\""; do
	look "${part%%:*}"
	cmd check >"$W/out" 2>&1
	[ $? != 0 ] && grep -qF -- "${part#*:}" "$W/out"
	ok $? "the check names: ${part%%:*}" || note "$(cat "$W/out")"
done
sed 's|"Elektronisch gesiegelt"|"\xe5\x8d\xb0 {org}"|' "$plain" >"$R/sealroom.conf"
cmd check >"$W/out" 2>&1
[ $? != 0 ] && grep -q 'no sign for U+5370' "$W/out"
ok $? "and a sign in a line that the font lacks" || note "$(cat "$W/out")"
finish
