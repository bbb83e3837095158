#!/bin/bash
# limit: 600
# Pages drawn for it, one of each difficulty: no wrong place, no ink covered, nothing held
# without need; and the seal is where `sealroom try` said, on turned and oddly boxed pages too.
. "$(dirname "$0")/../lib.sh"
need python3 qpdf softhsm2-util
need_program sealroomd sealroom tests/b_place
/usr/bin/python3 -c 'import PIL' 2>/dev/null || bail "python3-pil is installed (make deps)"
PAGES=12
"$TOOLS/make-pages" "$W/pages" $PAGES check >"$W/out" 2>&1
ok $? "$PAGES pages are drawn" || note "$(cat "$W/out")"
mkdir "$W/read"
OMP_THREAD_LIMIT=1 "$BIN/tests/b_place" "$W/pages" "$W/read" >"$W/places.jsonl" 2>"$W/err"
ok $? "they are read and placed" || note "$(cat "$W/err")"
"$TOOLS/judge-pages" "$W/pages" "$W/places.jsonl" --bars >"$W/table" 2>&1
ok $? "within 2 mm, none wrong, no ink covered, few held" || NOTE_LINES=40 note "$(cat "$W/table")"
# the judge is judged: a place 3 mm off, and one over ink
python3 - "$W" <<-'PY'
	import json, sys
	w = sys.argv[1]
	truth = {p['file']: p for p in map(json.loads, open(w + '/pages/truth.jsonl'))}
	lines = [json.loads(l) for l in open(w + '/places.jsonl')]
	for name, by in (('off', 3), ('far', 30)):
	    with open('%s/%s.jsonl' % (w, name), 'w') as f:
	        for i, l in enumerate(lines):
	            if 'box' in l and truth[l['file']]['class'] == 'plain':
	                l = dict(l, box=[l['box'][0], l['box'][1] + by * 2835, l['box'][2], l['box'][3] + by * 2835])
	            f.write(json.dumps(l) + '\n')
PY
for bad in off far; do
	"$TOOLS/judge-pages" "$W/pages" "$W/$bad.jsonl" --bars >"$W/out" 2>&1
	is $? 1 "the judge sees a seal that is $bad"
done
like "$(cat "$W/out")" 'wrong places +[1-9]' "and calls it wrong"

# The rules of the drawn pages, in a folder of a daemon.
same_place() { # PLACE PLACE: page, and points to one decimal, which may be rounded either way
	awk -v a="$1" -v b="$2" 'BEGIN { if (split(a, x) != 5 || split(b, y) != 5 || x[1] != y[1]) exit 1
	    for (i = 2; i <= 5; i++) if ((x[i] - y[i]) ^ 2 > 0.11 ^ 2) exit 1 }'
}
room_new
LEVEL=B-B
RULES=$(sed -n '/^rules : {/,/^};/p' "$W/pages/pages.conf" | sed '1d;$d')
count=0 same=0 moved=0
while read -r file folder; do
	FOLDER_RULES="\"$folder\""
	room_settings
	cmd --json try "$W/pages/$file" --folder post --png "$W/try.png" >"$W/try.json" 2>"$W/err" || note "$(cat "$W/err")"
	drop "$W/pages/$file"
	room_once >/dev/null 2>&1 || daemon_said
	said=$(python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))["result"]; print("%d %.1f %.1f %.1f %.1f" % (r["page"], *(v / 1000 for v in r["box_mpt"])))' "$W/try.json")
	grep -q '"ideal"' "$W/try.json" && moved=$((moved + 1))
	count=$((count + 1))
	got=$("$TOOLS/widget" "$R/in/$DONE/${file%.*}.pdf")
	same_place "$got" "$said"
	ok $? "$file: the seal is exactly where try said" && same=$((same + 1)) || note "said $said, is $got"
done < <(python3 -c 'import json, sys
for p in map(json.loads, open(sys.argv[1])):
    if p["want"] == "box" and p["class"] in ("ink", "boxes"): print(p["file"], p["folder"])' "$W/pages/truth.jsonl")
[ "$count" -ge 2 ] && [ "$same" = "$count" ]
ok $? "on pages with ink in the way, turned and oddly boxed ($count)"
[ "$moved" -ge 1 ]
ok $? "some had ink where the rule wants the seal ($moved)"
finish
