#!/bin/bash
# limit: 7200
# I13: whatever one thing is changed in an archive or its log - a byte, a length, a file
# that is gone, exchanged, doubled, added - audit reports it.  tamper.c makes the changes.
#
# A seeded sample of them (TAMPER_SEED=N chooses others); TAMPER=full makes all of them
# in the small archive, and many in one whose log fills a tile.  What audit may not notice:
#
#	a file .x.tmp added    a copy made while the daemon ran may hold one that was just
#	                       being written under such a name; nothing ever reads it
#	anything in .new/      the same for directories that are being built
#	the digit in FORMAT    made an earlier one: a later release's taking over, cut short
#	an empty directory     that is gone: it holds nothing, and many ways to copy a tree
#	                       leave it out
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd sealroom tests/tamper
room_new
LEVEL=B-B
SETTLE=50ms
SCAN_LANGUAGES='"eng"'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
"$TOOLS/small-scan" "SEALROOM TEST PAGE 1" "$W/one.tif"
"$TOOLS/small-scan" "TEST PAGE 2" "$W/two.tif"
drop "$W/one.tif"
room_once
is $? 0 "a letter is sealed" || daemon_said
EXTRA='space_floor = "2MiB";'
room_settings
drop "$W/two.tif"
printf 'no document' >"$R/in/.new" && mv "$R/in/.new" "$R/in/none.tif"
room_once
is $? 0 "with other settings another is, and a third file is refused" || daemon_said

by_nature() { grep -vE '^unnoticed ((add (.*/)?\.x\.tmp|add \.new/x|remove (\.new|evidence/er)) |byte FORMAT - 17$)' "$1"; }
tampered() { # sentence tamper's arguments...
	local what=$1 made noticed
	shift
	rm -rf "$W/a" "$W/aside" && cp -a "$R/archive" "$W/a" && chmod -R u+w "$W/a" && mkdir "$W/aside"
	"$BIN/tests/tamper" "$W/a" "$W/aside" "$@" >"$W/out"
	is $? 0 "$what: proven before and behind the changes" || note "$(tail -n 3 "$W/out")"
	awk 'NF == 3 && $1 != "unnoticed" { made += $2; noticed += $3 } END { print made, noticed }' "$W/out" >"$W/sum"
	read -r made noticed <"$W/sum"
	note "$what: $made changes, $noticed noticed ($(awk 'NF == 3 && $1 != "unnoticed" { printf "%s%s %d", s, $1, $2; s = ", " }' "$W/out"))"
	grep '^unnoticed' "$W/out" >"$W/un"
	is "$(by_nature "$W/un")" "" "$what: every one is reported"
	[ "$made" -gt 500 ] && [ $((made - noticed)) = "$(wc -l <"$W/un")" ]
	ok $? "$what: $made were made"
}
find "$R/archive" -type f -size +0 -printf '%s\n' | awk '{ n += $1 } END { printf "# %d files, %d bytes\n", NR, n }'
if [ "${TAMPER-}" != full ]; then
	tampered "a small archive, some changes" 2500 "${TAMPER_SEED:-1}"
	finish
fi
tampered "a small archive, every change"
for i in $(seq 270); do printf 'no document %d' "$i" >"$R/in/.new" && mv "$R/in/.new" "$R/in/none$i.tif"; done
room_once
is $? 0 "and 270 files are refused" || daemon_said
ok "$([ -e "$R/archive/evidence/log/tile/1/000.p/1" ]; echo $?)" "their entries fill a tile"
tampered "a longer log, many changes" 40000 "${TAMPER_SEED:-1}"
finish
