#!/bin/bash
# limit: 900
# A batch of evidence records, the tree of processes killed before each durable call below
# evidence/, and each such call failing: the next run makes it good, the archive is proven.
# SWEEP=every-N takes every N-th call; without it every twelfth.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer
room_new
LEVEL=B-B SETTLE=50ms
RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };'
SCAN_LANGUAGES='"eng"'
room_settings
tsa_start
"$TOOLS/small-scan" "ONE" "$W/one.tif"
drop "$W/one.tif"
room_once
is $? 0 "a document is sealed and logged" || daemon_said
EVIDENCE_EXTRA='tsa = "test"; batch = "500ms";'
room_settings
cp -a "$R" "$W/t" # the authority goes on living in the first room
step=12
case ${SWEEP-} in every-*) step=${SWEEP#every-} ;; esac

batches() { "$BIN/sealroom" --conf "$R/sealroom.conf" evidence list | grep -c ' batch '; }
trial() { # MODE K: prints what is wrong
	R=$W/trial LOG=$W/trial/daemon.log
	rm -rf "$R" && cp -a "$W/t" "$R" || return
	sed -i "s#$W/room/#$R/#g" "$R/sealroom.conf"
	TRACE=("$BIN/tests/tracer" -o "$R/result" -r "$R/archive/evidence" -c sealroomd -m "$1" -k "$2" -e 5 --)
	room_once --wait 5
	TRACE=()
	if grep -q '^hit 1' "$R/result"; then echo x >>"$W/hits"; fi
	room_once --wait 20 || echo "$1 $2: the next run ends with $?"
	[ "$(batches)" -ge 1 ] || echo "$1 $2: no batch"
	[ "$(find "$R/archive/evidence/er" -mindepth 1 -maxdepth 1 | wc -l)" = "$(batches)" ] ||
	    echo "$1 $2: er/ and the log differ: $(ls -A "$R/archive/evidence/er")"
	"$BIN/sealroom" --conf "$R/sealroom.conf" audit >"$R/audit.out" 2>&1 || echo "$1 $2: $(head -n 3 "$R/audit.out")"
}
R=$W/trial LOG=$W/trial/daemon.log
cp -a "$W/t" "$R" && sed -i "s#$W/room/#$R/#g" "$R/sealroom.conf"
TRACE=("$BIN/tests/tracer" -o "$R/result" -r "$R/archive/evidence" -c sealroomd -l "$W/calls" --)
room_once --wait 5
is $? 0 "undisturbed the next run comes to rest" || daemon_said
TRACE=()
[ "$(batches)" -ge 1 ]
ok $? "with a batch, or on a slow machine more"
total=$(sed -n 's/^calls //p' "$R/result")
[ "$total" -gt 20 ]
ok $? "it makes $total durable calls below evidence/"
for mode in before error; do
	: >"$W/wrong"
	: >"$W/hits"
	n=0
	for ((k = 1; k <= total; k += step)); do
		trial $mode "$k" >>"$W/wrong" 2>&1
		n=$((n + 1))
	done
	[ ! -s "$W/wrong" ]
	ok $? "$mode: $n of $total calls, each made good by the next run" || note "$(cat "$W/wrong")"
	# how often a checkpoint is signed is a matter of time: the last ones may stay away
	[ $(($(wc -l <"$W/hits") * 4)) -ge $((n * 3)) ]
	ok $? "$mode: $(wc -l <"$W/hits") of these calls came"
done
finish
