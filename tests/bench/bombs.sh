#!/bin/bash
# What files cost that are made to cost much: each alone, seconds from start to end of
# the daemon and the largest of its processes; then letters alone, while the files come one
# after another, beside as many other letters that come at once, and beside all of the files at
# once.  BOMBS="pixels.tif fold.pdf" takes some only, LETTERS=0 leaves out the rest.  Of fewer than a hundred letters the 99th
# percentile is the slowest one.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
EXTRA='max_jobs = 64;'
SCAN_EXTRA='blank = "keep";'
room_settings
mkdir "$W/bombs" && "$TOOLS/bombs" "$W/bombs" all || exit 70
met() { awk -v v="$1" -v b="$2" 'BEGIN { print v <= b ? "met" : "NOT met" }'; }
outcome() { # name: where it is, and why
	local where
	where=$(cd "$R/in" && find . -mindepth 2 \( -name "$1" -o -name "${1%.*}.pdf" \) | cut -d/ -f2 | head -n 1)
	echo "${where:-nowhere} $("$TOOLS/logread" "$R/archive" | awk -v h="$(sha "$W/bombs/$1")" 'BEGIN { RS = "== " } index($0, h)' | sed -n 's/^reason //p' | tail -n 1)"
}

echo "bombs: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg); bar: 60 s and 1536 MiB each"
for f in "$W/bombs"/*; do
	name=$(basename "$f")
	case " ${BOMBS:-$name} " in *" $name "*) ;; *) continue ;; esac
	drop "$f"
	"$TOOLS/cost" "$BIN/sealroomd" --conf "$R/sealroom.conf" --once --wait 5 9>"$W/cost" >>"$LOG" 2>&1 </dev/null
	read -r _ seconds mib _ <"$W/cost"
	printf '%-14s %10d bytes  %6.1f s %-8s %5d MiB %-8s %s\n' "$name" "$(stat -c %s "$f")" "$seconds" "$(met "$seconds" 60)" \
	    "$mib" "$(met "$mib" 1536)" "$(outcome "$name")"
done
[ "${LETTERS:-150}" != 0 ] || exit 0

# --- a letter every half second, from its drop to its result ----------------------------------------
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || exit 70
letters() { # tag, count: their latencies in seconds, sorted
	python3 - "$R/in" "$R/in/$DONE" "$W/letter.tif" "$1" "$2" <<-'PY'
		import os, shutil, sys, time
		folder, done, letter, tag, count = sys.argv[1:4] + [sys.argv[4], int(sys.argv[5])]
		dropped, took, began = {}, [], time.monotonic()
		while len(took) < count:
		    now = time.monotonic()
		    if len(dropped) + len(took) < count and now - began >= (len(dropped) + len(took)) / 2:
		        name = "%s%d" % (tag, len(dropped) + len(took))
		        shutil.copy(letter, folder + "/." + name + ".part")
		        os.rename(folder + "/." + name + ".part", folder + "/" + name + ".tif")
		        dropped[name] = time.monotonic()
		    for name in [n for n in dropped if os.path.exists(done + "/" + n + ".pdf")]:
		        took.append(time.monotonic() - dropped.pop(name))
		    if now - began > 600:
		        sys.exit("letters: %d of %d came" % (len(took), count))
		    time.sleep(0.01)
		print(" ".join("%.3f" % t for t in sorted(took)))
	PY
}
at() { awk -v p="$1" '{ i = int(NF * p + 0.999); print $(i < 1 ? 1 : i) }' <<<"$2"; }
N=${LETTERS:-150}
room_start
wait_for 60 bash -c "[ -S '$R/control' ]"
letters warm 3 >/dev/null || exit 70
alone=$(letters alone "$N") || exit 70
one_by_one() {
	local f n=0
	for f in "$W/bombs"/*; do n=$((n + 1)); done
	for f in "$W/bombs"/*; do
		drop "$f" "single-$(basename "$f")"
		sleep "$(awk -v s="$N" -v n=$n 'BEGIN { print s / 2 / n }')"
	done
}
one_by_one &
PIDS+=($!)
single=$(letters single "$N") || exit 70
wait $!
at_rest() { [ -z "$(find "$R/state/spool" -mindepth 2 -maxdepth 2 ! -path '*/held/*')" ]; }
wait_for 600 at_rest || exit 70
# Whatever comes at once is a queue: as many letters as there are bombs say what of it is due to their number.
for f in "$W/bombs"/*; do drop "$W/letter.tif" "burst-$(basename "$f").tif"; done
burst=$(letters beside "$N") || exit 70
for f in "$W/bombs"/*; do drop "$f" "again-$(basename "$f")"; done
among=$(letters among "$N") || exit 70
printf 'a letter alone:        median %s s, p99 %s s\n' "$(at 0.5 "$alone")" "$(at 0.99 "$alone")"
printf 'beside as many letters: median %s s, p99 %s s\n' "$(at 0.5 "$burst")" "$(at 0.99 "$burst")"
beside_bombs() { # what, latencies
	printf '%s median %s s, p99 %s s   bar +20 %%: %s; the slowest:%s\n' "$1" "$(at 0.5 "$2")" "$(at 0.99 "$2")" \
	    "$(met "$(at 0.99 "$2")" "$(awk -v v="$(at 0.99 "$alone")" 'BEGIN { print v * 1.2 }')")" \
	    "$(awk '{ for (i = NF > 4 ? NF - 4 : 1; i <= NF; i++) printf " %s", $i }' <<<"$2")"
}
beside_bombs 'bombs one by one:     ' "$single"
beside_bombs 'all bombs at once:    ' "$among"
room_stop
exit 0
