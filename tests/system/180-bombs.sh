#!/bin/bash
# limit: 900
# Small files made to cost much: each is refused or handled, none takes much memory, and
# letters pass by; then each alone, which takes 60 s and 1.5 GiB at most.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
[ -z "${SEALROOM_ASAN-}" ] || skip_all "sanitizers cost more than what is measured here"
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
EXTRA='max_jobs = 64;'
SCAN_EXTRA='blank = "keep";'
room_settings
mkdir "$W/bombs" && "$TOOLS/bombs" "$W/bombs" || bail "bombs can be made"
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || bail "a scan can be made"

# The judge of memory first: it sees what a grandchild takes.
"$TOOLS/cost" sh -c 'python3 -c "x = bytearray(300 << 20)"; true' 9>"$W/cost"
read -r _ _ mib _ <"$W/cost"
[ "$mib" -ge 300 ] && [ "$mib" -lt 400 ]
ok $? "300 MiB of a grandchild are seen: $mib MiB"

for f in "$W/bombs"/*; do drop "$f"; done
for i in 1 2 3; do drop "$W/letter.tif" "letter$i.tif"; done
"$TOOLS/cost" timeout 400 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 20 9>"$W/cost" >>"$LOG" 2>&1 </dev/null
read -r rc seconds mib _ <"$W/cost"
is "$rc" 0 "the daemon comes to the end of them ($seconds s)" || daemon_said
[ "$mib" -le 1536 ]
ok $? "none of its processes took more than 1.5 GiB: $mib MiB"

reason() { "$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$1")" 'BEGIN { RS = "== " } index($0, h)' | sed -n 's/^reason //p' | tail -n 1; }
refused() { # name, why
	cmp -s "$W/bombs/$1" "$R/in/$ERROR/$1" && [ -s "$R/in/$ERROR/$1.txt" ]
	ok $? "$1 comes back untouched, with a reason" || note "$(find "$R/in" -name "${1%.*}*")"
	like "$(reason "$W/bombs/$1")" "^($2)$" "$1: the log says why"
}
taken() { # name: it is a scan after all, or a person is to decide
	[ -s "$R/in/$DONE/${1%.*}.pdf" ] || [ -s "$R/in/$HELD/$1" ]
	ok $? "$1 is handled" || note "$(find "$R/in" -name "${1%.*}*")"
}
refused pixels.png 'page-too-large'
refused scans.jpg 'document-damaged'
refused strips.tif 'document-(incomplete|damaged)'
refused pages.tif 'too-many-pages'
refused image.pdf 'page-too-large'
refused xref.pdf 'document-damaged|reader-crashed|reader-timeout'
for name in size loop parent deep fold folds prev length; do refused $name.pdf 'document-damaged|too-many-pages'; done
for name in noise.tif chunk.png content.pdf filters.pdf arrays.pdf objstm.pdf string.pdf; do taken $name; done
[ -s "$R/in/$DONE/pixels.pdf" ]
ok $? "pixels.tif, which is white paper after all, is sealed"
for i in 1 2 3; do judge_pdfsig "$R/in/$DONE/letter$i.pdf"; ok $? "letter $i is sealed"; done
is "$(find "$R/in" -maxdepth 1 -type f ! -name '.*' | wc -l)" 0 "nothing is left in the folder" || note "$(ls "$R/in")"

# Each alone, from the start of the daemon to its end.  Of a machine that others use as well
# it gets a share: so much more time may pass, and no more of a processor.
for f in "$W/bombs"/*; do
	name=$(basename "$f")
	drop "$f" "alone-$name"
	"$TOOLS/cost" timeout 400 "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 5 9>"$W/cost" >>"$LOG" 2>&1 </dev/null
	read -r rc seconds mib cpu <"$W/cost"
	bar=$(awk -v n="$(nproc)" '{ print int(60 * ($1 > n ? $1 / n : 1)) }' /proc/loadavg)
	is "$rc $(find "$R/in" -maxdepth 1 -name "alone-$name")" "0 " "$name alone: the daemon comes to its end" || daemon_said
	[ "$mib" -le 1536 ] && awk -v s="$seconds" -v c="$cpu" -v b="$bar" 'BEGIN { exit !(c <= 60 && s <= b) }'
	ok $? "in $seconds of $bar s, with $cpu of 60 s of processors and $mib of 1536 MiB" || daemon_said
done
finish
