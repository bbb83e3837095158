#!/bin/bash
# limit: 240
# A file is taken when it is complete, and not before.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
SETTLE=1s
INCOMPLETE=6s
room_settings
room_start
wait_for 30 grep -q . "$LOG"

done_pdf() { [ -s "$R/in/$DONE/$1.pdf" ]; }
original_of() { # hash of the archived original of a result
	"$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$R/in/$DONE/$1.pdf")" 'BEGIN { RS = "== " } index($0, "sealed ") && index($0, h)' |
	    sed -n 's/^source .*sha256:\([0-9a-f]*\).*/\1/p'
}

# Written slowly, held open: an open writer is no quiet file, however long the pause.
python3 - "$SCANS/de-brief.tif" "$R/in/slow.tif" <<'P' &
import sys, time
data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb") as f:
    for i in range(4):
        f.write(data[i * len(data) // 4 : (i + 1) * len(data) // 4])
        f.flush()
        time.sleep(1.8)
P
writer=$!
# Closed and opened again by the sender, with less than the settle time between.
(for i in 0 1 2 3 4 5; do
	tail -c +$((i * 1500 + 1)) "$SCANS/de-schief.tif" | head -c 1500 >>"$R/in/again.tif"
	sleep 0.5
done) &
again=$!
# Renamed into place, as good senders do.
drop "$SCANS/en-turned.tif" moved.tif
wait_for 60 done_pdf moved
ok $? "a file renamed into place is taken" || daemon_said
wait $writer $again
wait_for 60 done_pdf slow
ok $? "a file written slowly is taken once it is closed" || daemon_said
wait_for 60 done_pdf again
ok $? "a file closed and opened again is taken" || daemon_said
is "$(original_of slow)" "$(sha "$SCANS/de-brief.tif")" "and as a whole" || note "$(ls -R "$R/in")"
is "$(original_of again)" "$(sha "$SCANS/de-schief.tif")" "both of them"

# An unfinished one waits and may still be completed.
head -c 15000 "$SCANS/de-brief.tif" >"$R/in/later.tif"
sleep 3
[ -e "$R/in/later.tif" ] && ! done_pdf later
ok $? "an unfinished file waits"
tail -c +15001 "$SCANS/de-brief.tif" >>"$R/in/later.tif"
wait_for 60 done_pdf later
ok $? "and is taken when the rest has come" || daemon_said
is "$(original_of later)" "$(sha "$SCANS/de-brief.tif")" "as a whole"

# The folder is replaced under the daemon.
mv "$R/in" "$R/old" && mkdir "$R/in"
drop "$SCANS/de-schief.tif" new.tif
wait_for 60 done_pdf new
ok $? "a folder that was replaced is watched again" || daemon_said
room_stop
is $? 0 "the daemon ends when told to"
finish
