#!/bin/bash
# limit: 300
# Whatever is changed, cut, swapped or removed in the archive or the log afterwards
# is reported by audit; and a log put back to an older state stops the daemon.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
room_settings
for f in de-schief.tif en-turned.tif en-letter.tif; do drop "$SCANS/$f"; done
room_once
is $? 0 "three letters are sealed" || daemon_said
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "audit finds nothing wrong" || note "$(cat "$W/out")"

A=$W/a
fresh() { chmod -R u+w "$A" 2>/dev/null; rm -rf "$A"; cp -a "$R/archive" "$A"; chmod -R u+w "$A"; }
audit() { cmd audit "$A" >"$W/out" 2>&1; }
flip() { python3 -c '
import sys
path, at = sys.argv[1], float(sys.argv[2])
with open(path, "r+b") as f:
    data = bytearray(f.read())
    i = int(at * (len(data) - 1))
    data[i] ^= 1
    f.seek(0)
    f.write(data)' "$1" "$2"; }
found() { # sentence
	audit
	is $? 1 "$1 is found" || note "$(tail -n 5 "$W/out")"
}

fresh
audit
is $? 0 "a copy of the tree audits like the original" || note "$(cat "$W/out")"
find "$A" -type f -printf '%P\n' | sort >"$W/files"
while read -r f; do
	case $f in
	*manifest-sha256.txt | README.txt) continue ;; # derived, or prose
	FORMAT) at="0.02 0.5" ;; # an earlier number is a take-over that was cut short
	evidence/config/* | evidence/checkpoints/*) at="0.5" ;;
	evidence/journal) continue ;;           # below the checkpoint the tiles count
	*) at="0.02 0.5 0.98" ;;
	esac
	for p in $at; do
		fresh
		flip "$A/$f" "$p"
		audit
		rc=$?
		[ $rc = 1 ] || [ "$f:$rc" = FORMAT:2 ]
		ok $? "one bit of $(echo "$f" | sed -E 's/[0-9a-z]{26}/JOB/') at $p" || note "$(tail -n 3 "$W/out")"
	done
done <"$W/files"

set -- "$R"/archive/20*/*/*/*/
fresh; rm -rf "${A:?}/${1#"$R/archive/"}"; found "a missing job"
fresh; rm -f "$A/${1#"$R/archive/"}job.json"; found "a missing file of a job"
fresh; cp -a "$A/${1#"$R/archive/"}sealed.pdf" "$A/${2#"$R/archive/"}sealed.pdf"; found "a swapped document"
fresh; mkdir -p "$A/2020/01/01/00000000000000000000000000" && cp "$A/${1#"$R/archive/"}sealed.pdf" "$A/2020/01/01/00000000000000000000000000/"; found "a job the log does not know"
fresh; truncate -s -1 "$A/${1#"$R/archive/"}sealed.pdf"; found "a cut document"
fresh; rm -rf "$A/evidence/log/tile/0"; found "missing tiles"
fresh; rm -f "$A/evidence/log/checkpoint"; audit; [ $? != 0 ]; ok $? "a missing checkpoint is not proof"

# Rollback: the whole archive as it was before, perfectly consistent in itself.
cp -a "$R/archive" "$W/older"
drop "$SCANS/de-brief.tif"
room_once
is $? 0 "a further letter is sealed" || daemon_said
mv "$R/archive" "$W/newer" && cp -a "$W/older" "$R/archive"
drop "$SCANS/en-sideways.tif"
room_once --wait 2
is $? 79 "a log that went back in time stops the daemon, with a status of its own" || daemon_said
is "$(find "$R/in/$DONE" -name 'en-sideways*' | wc -l)" 0 "and nothing is sealed"
rm -rf "$R/archive" && mv "$W/newer" "$R/archive"
room_once
is $? 0 "with the right log it goes on" || daemon_said
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "and all is proven" || note "$(cat "$W/out")"
finish
