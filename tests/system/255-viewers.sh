#!/bin/bash
# The seal is seen alike by three viewers: poppler, MuPDF, and pdf.js in Chromium.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf fix-qdf pdftoppm mutool chromium chromedriver
[ -e /usr/share/javascript/pdf/build/pdf.js ] || bail "libjs-pdf is installed (make deps)"
need_program sealroomd
room_new
LEVEL=B-B
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "70mm", "26mm" ]; }; seal = "stamp"; };'
room_settings
"$TOOLS/crest" "$R/crest.png"
sed -i 's|look = { |&image = "crest.png"; qr = "{id}"; |; s|"{org}"|"{org} שלום شركة"|' "$R/sealroom.conf"
drop "$SCANS/en-letter.tif" upright.tif
drop "$SCANS/en-sideways.tif" turned.tif
room_once
is $? 0 "two letters are sealed, one on a turned page" || daemon_said
same() { # PDF [TWIN]
	/usr/bin/python3 "$TOOLS/viewers" "$1" "$W/$(basename "$1" .pdf)" "${@:2}" >"$W/out" 2>"$W/err"
}
for name in upright turned; do
	pdf=$R/in/$DONE/$name.pdf
	same "$pdf"
	is $? 0 "$name: three viewers show the same seal" || note "$(cat "$W/out" "$W/err")"
	note "$(cat "$W/out")"
done
# The same with the seal 2 mm aside in one of them.
qpdf --qdf --object-streams=disable "$R/in/$DONE/upright.pdf" "$W/open.pdf" 2>/dev/null
python3 - "$W/open.pdf" "$W/moved.pdf" <<'PY'
import re, sys
data = open(sys.argv[1], "rb").read()
move = lambda m: b"/Rect [ " + b" ".join(b"%.3f" % (float(v) - (5.67 if i % 2 == 0 else 0)) for i, v in enumerate(m[1].split())) + b" ]"
data, n = re.subn(rb"/Rect \[\s*([-0-9. \n]+?)\s*\]", move, data)
open(sys.argv[2], "wb").write(data)
sys.exit(n != 1)
PY
is $? 0 "the seal is moved by 2 mm in a twin"
fix-qdf "$W/moved.pdf" >"$W/twin.pdf" 2>/dev/null
same "$R/in/$DONE/upright.pdf" "$W/twin.pdf"
is $? 1 "and that is seen" || note "$(cat "$W/out" "$W/err")"
finish
