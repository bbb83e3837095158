#!/bin/bash
# Names are bytes: none reaches a log line, a path of ours or a command as it is.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
"$TOOLS/small-scan" "A NAME" "$W/name.tif"
names=(
	$'new\nline.tif'
	$'esc\e[31mred\a.tif'
	'percent %n%s%x.tif'
	'dollar $(touch hit) `touch hit` ;&|.tif'
	'quote '"'"'and" \ .tif'
	$'bad\xff\xfeutf8.tif'
	$'bidi\xe2\x80\xaefit.tif'
	' leading and trailing .tif '
	'CON.tif'
	'Ümläut €.TIF'
	'no-suffix'
	'-rf'
	'tab	and   blanks.tif'
	"$(printf 'x%.0s' $(seq 200)).tif"
	"$(printf 'y%.0s' $(seq 251)).tif"
	"$(printf 'ü%.0s' $(seq 125))y.tif"
	"$(printf '\xff%.0s' $(seq 251)).tif"
	$'nfd-u\xcc\x88.tif'
	'what? a <name>: "or" | not*.tif'
	'aux.'
	$'\xe2\x80\xaa\xe2\x80\xacinvisible\xe2\x80\x8b.tif'
)
for n in "${names[@]}"; do cp "$W/name.tif" "$R/in/.new" && mv "$R/in/.new" "$R/in/$n"; done
cd "$W" || exit 70
room_once
is $? 0 "files of any name are taken" || daemon_said
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log")" "${#names[@]}" "each is sealed"
is "$(find "$R/in/$DONE" -type f -name '*.pdf' | wc -l)" "${#names[@]}" "each is given back" || note "$(ls -b "$R/in" "$R/in/$DONE")"
is "$(find "$R/in" -maxdepth 1 -type f | wc -l)" 0 "none is left"
is "$(find "$R" "$W" "$TOP" -maxdepth 2 -name hit 2>/dev/null)" "" "nothing in a name was executed"
is "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f\xff\xfe]' "$LOG")" 0 "no control byte and no bad UTF-8 in the daemon's log" || daemon_said
is "$(LC_ALL=C grep -cP '[^\x0a\x20-\x7e]' "$W/log")" 0 "the evidence log is printable ASCII"
is "$(find "$R/in/$DONE" -type f -printf '%f\n' | LC_ALL=C grep -cE '[<>:"|?*\\]|[. ]$')" 0 "results have names Windows can show"
is "$(find "$R/state" "$R/archive" -printf '%P\n' | LC_ALL=C grep -cP '[^\x20-\x7e]| ')" 0 "no name of a sender is part of a path of ours"
cmd status >"$W/status" 2>&1
is "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]' "$W/status")" 0 "nor does the status show one raw"

# Same name again, and a name that differs in case only: nothing is overwritten.
"$TOOLS/small-scan" "OTHER" "$W/other.tif"
drop "$W/other.tif" no-suffix
drop "$W/name.tif" NO-SUFFIX
room_once
is "$(find "$R/in/$DONE" -iname 'no-suffix*.pdf' | wc -l)" 3 "a name that is taken gets a number" || note "$(ls "$R/in/$DONE")"

# Long names whose companions need room, and a receipt beside one that is still there.
long="$(printf 'z%.0s' $(seq 251)).tif"
for i in 1 2; do
	printf 'no document %d' "$i" >"$R/in/.new"
	mv "$R/in/.new" "$R/in/$long"
	room_once
done
is "$(find "$R/in/$ERROR" -name 'zzz*.tif' | wc -l) $(find "$R/in/$ERROR" -name 'zzz*.tif.txt' | wc -l)" "2 2" \
    "the reason fits beside a document with a name of 255 bytes" || note "$(ls "$R/in/$ERROR")"
is "$(find "$R/in" -name '*tif' -path "$R/in/$WORK/*")" "" "and no receipt is left"
drop "$W/other.tif" $'nfd-\xc3\xbc.tif'
room_once
is "$(find "$R/in/$DONE" -name 'nfd-* (2).pdf' | wc -l)" 1 "composed or decomposed, it is the same name" || note "$(ls -b "$R/in/$DONE")"
finish
