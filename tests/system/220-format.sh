#!/bin/bash
# A spool and an archive that an earlier release left, one job in every state:
# today's daemon finishes them all and goes on with the same log.  What a later
# release began is refused.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util xz qpdf
need_program sealroomd sealroom
room_new
tsa_start
rm -rf "$R/in" "$R/state" "$R/archive" "$R/anchor"
tar -C "$R" -xJf "$TOP/tests/data/format1/room.tar.xz" && chmod 700 "$R/state" "$R/anchor"
ok $? "the spool and archive of format 1 are unpacked"
cat "$R/pki/root.pem" >>"$R/root.pem"
# as tests/data/format1/make has it, with the roots of both
RULES='
  ask : { when = { any = [ "Siegel der Behörde" ]; typos = 1; }; hold = { en = "A person looks first."; }; };
  all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"ask", "all"'
SCAN_LANGUAGES='"deu"'
room_settings
sed -i "s#$R/pki/root.pem#$R/root.pem#" "$R/sealroom.conf"

is "$(cat "$R/state/spool/FORMAT") $(cat "$R/archive/FORMAT")" "sealroom-spool/1 sealroom-archive/1" "they say so"
for s in incoming claimed rendered signed sealed logged held; do
	[ -n "$(ls "$R/state/spool/$s")" ]
	ok $? "a job lies in $s"
done
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "the archive is proven as it is" || note "$(cat "$W/out")"
cp -a "$R" "$W/before"

room_once
is $? 0 "today's daemon comes to rest with it" || daemon_said
for n in one l s t r; do
	judge_qpdf "$R/in/$DONE/$n.pdf" && judge_pdfsig "$R/in/$DONE/$n.pdf"
	ok $? "$n.pdf is there, sealed"
done
is "$(ls "$R/in/$DONE" | wc -l)" 5 "each once"
[ -s "$R/in/$HELD/hold.tif" ] && [ -s "$R/in/$ERROR/bad.tif.txt" ]
ok $? "what was held or refused is so still"
[ -s "$R/in/$HELD/c.tif.txt" ]
ok $? "the one that was only claimed is read, and held by its rule" || daemon_said
is "$(find "$R/state/spool" -mindepth 2 -maxdepth 2 | wc -l)" 2 "nothing else is left in the spool" || note "$(find "$R/state/spool" -mindepth 2 -maxdepth 2)"
"$TOOLS/logread" "$R/archive" >"$W/log"
is "$(grep -c '^type job$' "$W/log") $(grep -c '^type reject$' "$W/log") $(grep -c '^type hold$' "$W/log")" "5 1 2" "the log has each end once"
is "$("$TOOLS/logread" "$W/before/archive" | head -c -1 | sha256sum)" "$(head -c "$("$TOOLS/logread" "$W/before/archive" | head -c -1 | wc -c)" "$W/log" | sha256sum)" \
    "and what it said before it says still"
is "$(cat "$R/state/spool/FORMAT") $(cat "$R/archive/FORMAT")" "sealroom-spool/2 sealroom-archive/3" "both are of today's format now"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 0 "all of it is proven" || note "$(cat "$W/out")"
(cd "$W/before/archive" && find . -type f ! -name FORMAT ! -name README.txt ! -path '*/checkpoint' ! -name journal ! -path '*.p/*' ! -name 'manifest*' |
	while read -r f; do cmp -s "$f" "$R/archive/$f" || echo "$f"; done) >"$W/changed"
is "$(cat "$W/changed")" "" "no archived byte has changed"

# Of a later release.
echo sealroom-spool/3 >"$R/state/spool/FORMAT"
room_once
is $? 78 "a spool of a later format is refused"
like "$(tail -n 3 "$LOG")" 'sealroom-spool/3, which a later release began; this one knows up to 2' "in a clear sentence"
echo nonsense >"$R/state/spool/FORMAT"
room_once
is $? 78 "and so is one of none"
echo sealroom-spool/2 >"$R/state/spool/FORMAT"
chmod u+w "$R/archive/FORMAT" && echo sealroom-archive/9 >"$R/archive/FORMAT"
room_once
[ $? != 0 ]
ok $? "an archive of a later format is refused"
like "$(tail -n 3 "$LOG")" 'sealroom-archive/9, which a later release began; this one knows up to sealroom-archive/3' "in a clear sentence"
cmd audit "$R/archive" >"$W/out" 2>&1
is $? 2 "audit can not tell about it" || note "$(cat "$W/out")"
finish
