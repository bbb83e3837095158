#!/bin/bash
# What the number of pages costs: a document of ten and one of many, each alone, with the time
# to its first page's result and the largest process of each kind.  LONG_TIFF (1000) and
# LONG_PDF (5000) are the pages of the long ones.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/figures.bash"
need python3 softhsm2-util pdfinfo
need_program sealroomd sealroom
room_new
SETTLE=50ms LEVEL=B-B
RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };'
room_settings
peak() { # kind of task: KiB
	cmd status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["tasks"].get(sys.argv[1], {}).get("peak_kib", 0))' "$1"
}
core() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$ROOM_PID/status"; }
first_page() { compgen -G "$R/state/spool/claimed/*/pages/0" >/dev/null; }

declare -A first mem
run() { # name of the row, pages, suffix
	local name=$1 n=$2 file=$1-$2.$3 t0 t1 t2
	"$TOOLS/long-scans" "$n" "$W/$file" || exit 70
	: >"$LOG"
	room_start
	wait_for 60 ready || { tail -n 5 "$LOG" >&2; exit 70; }
	cp "$W/$file" "$R/in/.$file.part"
	t0=$(now)
	mv "$R/in/.$file.part" "$R/in/$file"
	until first_page || [ -s "$R/in/$DONE/${file%.*}.pdf" ]; do sleep 0.02; done
	t1=$(now)
	wait_for "${BENCH_PATIENCE:-3000}" test -s "$R/in/$DONE/${file%.*}.pdf" || { tail -n 5 "$LOG"; ls "$R/in/$HELD" "$R/in/$ERROR"; } >&2
	t2=$(now)
	[ "$(pdfinfo "$R/in/$DONE/${file%.*}.pdf" | awk '$1 == "Pages:" { print $2 }')" = "$n" ] || { echo "$file: not all pages came back" >&2; exit 70; }
	first[$name$n]=$(calc '%.2f' "$t1 - $t0")
	mem[$name$n]="$(core) $(peak page) $(peak inspect) $(peak compose)"
	printf '%-5s %5d pages %10d bytes: first page %6s s, all %7.1f s; KiB: core %s, page %s, inspect %s, compose %s\n' "$name" "$n" \
	    "$(stat -c %s "$W/$file")" "${first[$name$n]}" "$(calc '%.2f' "$t2 - $t0")" ${mem[$name$n]}
	room_stop
	rm -f "$W/$file"
}
judge() { # row, pages of the long one
	local few many
	read -ra few <<<"${mem[${1}10]}"
	read -ra many <<<"${mem[$1$2]}"
	bar "$1, $2 pages: first page after, against one of ten" "${first[$1$2]}" "<=" "$(calc '%.2f' "${first[${1}10]} * 1.2 + 0.1")" s
	bar "$1, $2 pages: core" "$(calc '%.1f' "${many[0]} / 1024")" "<=" 30 MiB
	bar "$1, $2 pages: a page child, over that of ten pages" "$(calc '%.1f' "(${many[1]} - ${few[1]}) / 1024")" "<=" 8 MiB
	bar "$1, $2 pages: a page child" "$(calc '%.1f' "${many[1]} / 1024")" "<=" 180 MiB
	bar "$1, $2 pages: compose" "$(calc '%.1f' "${many[3]} / 1024")" "<=" 64 MiB
}
echo "sealroom bench-long: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%d)"
run TIFF 10 tif
run TIFF "${LONG_TIFF:-1000}" tif
run PDF 10 pdf
run PDF "${LONG_PDF:-5000}" pdf
judge TIFF "${LONG_TIFF:-1000}"
judge PDF "${LONG_PDF:-5000}"
exit 0
