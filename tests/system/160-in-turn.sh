#!/bin/bash
# limit: 400
# A long document, and a folder full of letters, do not stop one letter: pages are read in turn.
. "$(dirname "$0")/../lib.sh"
need softhsm2-util tiffcp tiffinfo
need_program sealroomd
room_new
LEVEL=B-B
SCAN_EXTRA='workers = 1;'
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
mkdir "$R/other"
room_settings
other="other : { path = \"$R/other\"; rules = [ $FOLDER_RULES ]; seals = [ \"stamp\" ]; settle = \"$SETTLE\"; };"
sed -i "s#^\(\s*folders : { \)#\1$other #" "$R/sealroom.conf"

"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" && tiffcp -c g4 "$W/letter.tif" "$W/long.tif" || bail "scans can be made"
for _ in 1 2 3 4 5; do tiffcp "$W/long.tif" "$W/long.tif" "$W/more.tif" && mv "$W/more.tif" "$W/long.tif"; done
is "$(tiffinfo "$W/long.tif" 2>/dev/null | grep -c 'Image Width')" 32 "a document of 32 pages"
room_start
drop "$W/long.tif"
wait_for 60 bash -c "ls $R/state/spool/claimed/*/pages/1"
ok $? "it is being read, by one process at a time" || daemon_said
for i in $(seq 5); do drop "$W/letter.tif" "letter$i.tif"; done
cp "$W/letter.tif" "$R/other/.one.part" && mv "$R/other/.one.part" "$R/other/one.tif"
in_work() { find "$R/state/spool/claimed" -path '*/pages/*' 2>/dev/null | wc -l; }
wait_for 180 test -s "$R/other/$DONE/one.pdf"
ok $? "the letter in the other folder is sealed" || daemon_said
[ ! -e "$R/in/$DONE/long.pdf" ] && [ "$(in_work)" -gt 0 ]
ok $? "while the long document is still being read"
wait_for 180 bash -c "[ \"\$(ls $R/in/$DONE/letter*.pdf | wc -l)\" = 5 ]"
ok $? "and so are the five letters behind the long document" || daemon_said
[ ! -e "$R/in/$DONE/long.pdf" ]
ok $? "before it" || note "the log: $(grep -c . "$LOG") lines"
wait_for 240 test -s "$R/in/$DONE/long.pdf"
ok $? "which comes to its end, too" || daemon_said
room_stop
is $? 0 "the daemon ends when told to"
finish
