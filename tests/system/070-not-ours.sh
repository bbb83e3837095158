#!/bin/bash
# Links, pipes, directories and what a sender still writes are left alone; nothing
# outside of the hot folder is ever read, changed or removed through it.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
room_settings
mkdir "$W/outside" "$R/in/folder"
cp "$SCANS/de-schief.tif" "$W/outside/secret.tif"
cp "$SCANS/en-turned.tif" "$W/outside/linked.tif"
ln -s "$W/outside/secret.tif" "$R/in/link.tif"
ln -s "$W/outside" "$R/in/dirlink"
ln -s nowhere "$R/in/dangling.tif"
mkfifo "$R/in/pipe.tif"
python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$R/in/sock.tif"
cp "$SCANS/de-schief.tif" "$R/in/folder/inside.tif"
cp "$SCANS/de-schief.tif" "$R/in/locked.tif" && chmod 000 "$R/in/locked.tif"
for n in .hidden.tif '~$lock.tif' a.tmp b.part c.partial d.filepart e.crdownload; do cp "$SCANS/de-schief.tif" "$R/in/$n"; done
find "$R/in" -printf '%P %y %m %s %l\n' | sort >"$W/before"
(cd "$W/outside" && sha256sum ./*) >"$W/outside.sums"

room_once
is $? 0 "the daemon finds nothing to do" || daemon_said
find "$R/in" -printf '%P %y %m %s %l\n' | grep -vE '^(work|done|held|error) ' | sort >"$W/after"
is "$(diff "$W/before" "$W/after")" "" "nothing in the folder was touched"
is "$(find "$R/archive" -name sealed.pdf | wc -l)" 0 "nothing was sealed"
for n in link.tif dangling.tif pipe.tif sock.tif locked.tif; do
	grep -q "$n" "$LOG"
	ok $? "$n was reported"
done

# A second hard link: the copy is sealed, the other name keeps its bytes.
ln "$W/outside/linked.tif" "$R/in/hard.tif"
room_once
is "$? $(find "$R/in/$DONE" -name hard.pdf | wc -l)" "0 1" "a file with two names is sealed" || daemon_said
(cd "$W/outside" && sha256sum --quiet -c "$W/outside.sums")
ok $? "and the other name still holds its bytes"
is "$(find "$R/in" -name hard.tif)" "" "while the one in the folder is gone"

# One of ours that nobody else may read: who put the name there could not, either. Alone it is a delivery.
cp "$SCANS/en-turned.tif" "$W/outside/pin" && chmod 400 "$W/outside/pin" && ln "$W/outside/pin" "$R/in/pin.tif"
room_once
is "$? $(find "$R/in" -name 'pin*' -printf '%P %m ')" "0 pin.tif 400 " "a second name of a file that is ours alone is left where it is" || daemon_said
grep -q 'pin.tif: a second name of a file of ours that nobody else may read; left alone' "$LOG"
ok $? "and reported"
rm -f "$W/outside/pin"
room_once
is "$? $(find "$R/in/$DONE" -name pin.pdf | wc -l)" "0 1" "it is taken when that is its only name" || daemon_said

# Locked for us now, readable later: taken then.
chmod 600 "$R/in/locked.tif"
room_once
is "$(find "$R/in/$DONE" -name locked.pdf | wc -l)" 1 "a file that becomes readable is taken"
rm "$R/in/pipe.tif"
finish
