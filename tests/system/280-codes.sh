#!/bin/bash
# Barcodes on scanned pages, from the folder to the result: the rule that asks for one, the
# value and the name from it, the seal beside it; and a stack with a separator sheet that is not to be divided.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util zint
need_program sealroomd
room_new
LEVEL=B-B
SCAN_LANGUAGES='"eng"'
FOLDER_EXTRA='separator = { patch = [ "T" ]; stack = "hold"; };'
RULES='order : { when = { barcode = "^ORDER:"; barcode_kind = [ "qr" ]; };
    find = { n = { barcode = "^ORDER:([0-9]+)$"; type = "number"; }; };
    place = { barcode = "^ORDER:"; side = "below"; shift = [ "0mm", "5mm" ]; size = [ "50mm", "20mm" ]; };
    seal = "stamp"; name = "order-{find.n}.pdf"; };
  ask : { when = "always"; hold = { en = "no order"; }; };'
FOLDER_RULES='"order", "ask"'
room_settings

# A5 pages at 200 dpi as a scanner might send them.  QR codes by zint, a module 8 dots (1.016 mm), 40 mm from
# the left, 30 mm from the top; patch codes by the widths of Kodak A-61599, in 1/100 inch.
cat >"$W/pages.py" <<'PY'
import struct, subprocess, sys
W, H, DPI = 1168, 1654, 200
def page(what):
    rows = [bytearray(W // 8) for _ in range(H)]
    def black(x0, y0, x1, y1):
        for y in range(y0, y1):
            for x in range(x0, x1):
                rows[y][x // 8] |= 0x80 >> x % 8
    if what == "patch":
        y = 60
        for i, w in enumerate((8, 8, 20, 8, 8, 8, 20)):
            if i % 2 == 0:
                black(400, y, 800, y + w * DPI // 100)
            y += w * DPI // 100
    else:
        dump = subprocess.run(["zint", "-b", "58", "-d", what, "--dump"], capture_output=True, text=True, check=True).stdout
        for r, line in enumerate(dump.split("\n")):
            for i, digit in enumerate(line.replace(" ", "")):
                for bit in range(4):
                    if int(digit, 16) >> (3 - bit) & 1:
                        x, y = 315 + (4 * i + bit) * 8, 236 + r * 8
                        black(x, y, x + 8, y + 8)
    return b"".join(rows)
images = [page(what) for what in sys.argv[2:]]
out = b"II*\0" + struct.pack("<I", 8)
for i, data in enumerate(images):
    dpi = len(out) + 2 + 11 * 12 + 4  # behind the directory; then the pixels
    tags = [(256, 3, W), (257, 3, H), (258, 3, 1), (259, 3, 1), (262, 3, 0), (273, 4, dpi + 8), (277, 3, 1), (278, 3, H),
            (279, 4, len(data)), (282, 5, dpi), (283, 5, dpi)]
    following = dpi + 8 + len(data) if i + 1 < len(images) else 0
    out += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, kind, 1, v) for t, kind, v in tags)
    out += struct.pack("<I", following) + struct.pack("<II", DPI, 1) + data
open(sys.argv[1], "wb").write(out)
PY
paper() { python3 "$W/pages.py" "$W/$1.tif" "${@:2}" && drop "$W/$1.tif"; }
paper one ORDER:4711
paper twin ORDE:4711
paper stack ORDER:1 patch ORDER:2
paper sheet patch ORDER:5
room_once --wait 60
is $? 0 "the daemon works until nothing is left to do" || daemon_said

pdf=$R/in/$DONE/order-4711.pdf
[ -s "$pdf" ] && judge_pdfsig "$pdf" && judge_qpdf "$pdf"
ok $? "a page with the code is sealed, and named by it" || daemon_said
job=$(grep -l '"name": "one.tif"' "$R"/archive/20*/*/*/*/job.json)
# the code is 21 modules wide: 40 to 61.3 mm across, 30 to 51.3 mm down; 5 mm below it the seal begins
is "$(python3 -c 'import json, sys
p = json.load(open(sys.argv[1]))["place"]
print("there" if abs(p["x_mm"] - 40) < 1.5 and abs(p["y_mm"] - 56.3) < 1.5 else p)' "$job")" there "below the code, by the rule's shift"
[ -f "$R/in/$HELD/twin.tif" ]
ok $? "a page with another code is held"
[ -f "$R/in/$HELD/stack.tif" ] && [ ! -e "$R/in/$DONE/order-1.pdf" ] && [ ! -e "$R/in/$DONE/order-2.pdf" ]
ok $? "a stack with a sheet between two documents is held, and not sealed as one"
like "$(cat "$R/in/$HELD/stack.tif.txt")" "2 documents" "its text says how many there are"
[ -s "$R/in/$DONE/order-5.pdf" ]
ok $? "a sheet before one document divides nothing"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^reason several-documents' "$W/log")" 1 "the log has the reason"
finish
