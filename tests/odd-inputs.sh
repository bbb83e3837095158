#!/bin/bash
# Other people's test files, dropped like letters: those that the sources of Debian packages carry.
# Each must end once, in done/, held/ or error/, with a reason, while nothing crashes.  ODD_EACH: of
# each package so many (default: all), spread evenly; ODD_ONLY="qpdf*": of these only.
. "$(dirname "$0")/lib.sh"
need python3 softhsm2-util qpdf
need_program sealroomd sealroom
FILES=${1:?the directory that odd-fetch filled}/files
room_new
LEVEL=B-B
SETTLE=50ms
SCAN_EXTRA='page_time = "60s";'
EXTRA='max_jobs = 32;'
RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };'
room_settings
mapfile -t files < <(python3 - "$FILES" "${ODD_EACH:-0}" "${ODD_ONLY:-*}" <<'PY'
import collections, fnmatch, os, sys
packages, each = collections.defaultdict(list), int(sys.argv[2])
for name in sorted(os.listdir(sys.argv[1])):
    if fnmatch.fnmatch(name, sys.argv[3]):
        packages[name.split("__")[0]].append(name)
for names in packages.values():
    step = max(1, len(names) / each) if each else 1
    print(*[names[int(i * step)] for i in range(int(len(names) / step))], sep="\n")
PY
)
[ ${#files[@]} -gt 0 ] && [ -n "${files[0]}" ] || bail "there are files to drop"
room_start
wait_for 60 cmd status || bail "the daemon answers: $(tail -n 3 "$LOG")"
n=0
for f in "${files[@]}"; do
	n=$((n + 1))
	drop "$FILES/$f" "$(printf '%04d-%s' $n "$f")"
done
all_ended() { [ "$(find "$R/in" -mindepth 2 -name '[0-9]*' ! -name '*.txt' ! -name '*.png.png' ! -path "$R/in/$WORK/*" -printf '%f\n' | cut -c1-4 | sort -u | wc -l)" -ge $n ]; }
wait_for "${ODD_PATIENCE:-7200}" all_ended
ok $? "all $n files have ended" || note "$(find "$R/in" -maxdepth 1 -name '[0-9]*' -printf '%f\n' | head)"
kill -0 "$ROOM_PID"
ok $? "the daemon that began lives"
room_stop
is $? 0 "and ends in good order" || daemon_said
python3 - "$R" "$n" >"$W/table" <<'PY'
import collections, glob, json, os, sys
room, n = sys.argv[1], int(sys.argv[2])
where = collections.defaultdict(set)
for folder in ("done", "held", "error"):
    for path in glob.glob(room + "/in/%s/[0-9]*" % folder):
        where[os.path.basename(path)[:4]].add(folder)
package, reasons, texts = collections.defaultdict(collections.Counter), collections.Counter(), {}
for path in glob.glob(room + "/in/*/[0-9]*"):
    name, folder = os.path.basename(path), path.split("/")[-2]
    if not path.endswith(".txt") and folder != "work":
        package[name[5:].split("__")[0]][folder, name[:4]] = 1
for path in glob.glob(room + "/state/events/new/*.json"):
    e = json.load(open(path))
    if e.get("event") in ("reject", "hold"):
        reasons[e["event"], e.get("reason", "?")] += 1
        texts.setdefault(e.get("reason", "?"), e.get("text") or "")
print("%-20s %6s %6s %6s" % ("", "done", "held", "error"))
for p in sorted(package):
    print("%-20s %6d %6d %6d" % (p, *(len({k[1] for k in package[p] if k[0] == f}) for f in ("done", "held", "error"))))
for (event, word), k in sorted(reasons.items()):
    print("%-6s %-28s %5d   %s" % (event, word, k, texts[word][:100]))
print("BAD", *sorted("%04d" % i for i in range(1, n + 1) if len(where["%04d" % i]) != 1))
silent = [p for f in ("held", "error") for p in glob.glob(room + "/in/%s/[0-9]*" % f)
          if not p.endswith((".txt", ".html", ".png.png")) and not glob.glob(glob.escape(p) + ".txt")]
print("SILENT", *(os.path.basename(p) for p in silent if not (p.endswith(".png") and os.path.exists(p[:-4]))))
print("CRASHED", reasons["reject", "reader-crashed"] + reasons["hold", "reader-crashed"])
PY
grep -vE '^(BAD|SILENT|CRASHED)' "$W/table" | sed 's/^/# /'
is "$(grep '^BAD' "$W/table")" "BAD" "each ended in one place"
is "$(grep '^SILENT' "$W/table")" "SILENT" "each that is held or refused has its reason beside it"
is "$(grep '^CRASHED' "$W/table")" "CRASHED 0" "no reader crashed"
finish
