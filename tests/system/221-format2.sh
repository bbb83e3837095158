#!/bin/bash
# limit: 180
# An archive of format 2, as its last release left it: audit and verify read it, find what was
# changed in it, and today's daemon goes on with it.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util xz qpdf
need_program sealroomd sealroom
room_new
tsa_start
rm -rf "$R/in" "$R/state" "$R/archive" "$R/anchor"
tar -C "$R" -xJf "$TOP/tests/data/format2/room.tar.xz" && chmod 700 "$R/state" "$R/anchor"
ok $? "a room of format 2 is unpacked"
cat "$R/pki/root.pem" >>"$R/root.pem"
LEVEL=B-B SETTLE=50ms RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };' SCAN_LANGUAGES='"eng"'
room_settings
sed -i "s#$R/pki/root.pem#$R/root.pem#" "$R/sealroom.conf"
audited() { cmd audit "$1" >"$W/out" 2>&1; }

is "$(cat "$R/archive/FORMAT")" sealroom-archive/2 "it says so"
is "$("$TOOLS/logread" "$R/archive" | sed -n 's/^type //p' | grep -xE 'job|reject|hold|withdraw|void|repeat|break' | sort -u | tr '\n' ' ')" \
    "break hold job reject repeat void withdraw " "entries of each type are there"
audited "$R/archive"
is $? 0 "audit proves it" || note "$(cat "$W/out")"
for f in "$R"/archive/20*/*/*/*/sealed.pdf; do
	judge_qpdf "$f" && judge_pdfsig "$f" && judge_ours "$f"
	ok $? "$(basename "$(dirname "$f")"): qpdf, pdfsig and verify agree on the seal" || note "$(cat "$W/verify.out")"
done

# --- what was changed is found ---------------------------------------------------------------------
twin() { # SENTENCE COMMAND...: in a copy of the archive; the audit disproves it
	local sentence=$1
	shift
	rm -rf "$W/twin" && cp -a "$R/archive" "$W/twin" && chmod -R u+w "$W/twin"
	(cd "$W/twin" && "$@")
	audited "$W/twin"
	is $? 1 "$sentence" || note "$(tail -n 5 "$W/out")"
}
one() { find . -name "$1" | sort | head -n 1; }
flip() { # one bit in the middle
	python3 -c 'import sys
p = bytearray(open(sys.argv[1], "rb").read())
p[len(p) // 2] ^= 1
open(sys.argv[1], "wb").write(p)' "$(one "$1")"
}
twin "a byte of a sealed document" flip sealed.pdf
twin "a document that is gone" sh -c 'rm "$(find . -name "original.*" | sort | head -n 1)"'
twin "a byte of the list of a break" flip '*.break'
twin "a word of its README.txt" sed -i '1s/a/b/' README.txt

# --- and it goes on ---------------------------------------------------------------------------------
cp -a "$R/archive" "$W/before"
"$TOOLS/small-scan" "ANNA 9" "$W/nine.tif" && drop "$W/nine.tif"
room_once
is $? 0 "today's daemon goes on with it" || daemon_said
judge_qpdf "$R/in/$DONE/nine.pdf" && judge_pdfsig "$R/in/$DONE/nine.pdf"
ok $? "and seals"
is "$(cat "$R/archive/FORMAT")" sealroom-archive/3 "it is of today's format now"
audited "$R/archive"
is $? 0 "all of it is proven" || note "$(cat "$W/out")"
is "$("$TOOLS/logread" "$W/before" | head -c -1 | sha256sum)" "$("$TOOLS/logread" "$R/archive" | head -c "$("$TOOLS/logread" "$W/before" | head -c -1 | wc -c)" | sha256sum)" \
    "what the log said before it says still"
finish
