#!/bin/bash
# The figures of the main job, as ratios within one run, medians of three; what is
# a bar and whether it is met stands behind each.  They are honest numbers: the exit
# status says only whether they could be taken.  BENCH_PAGES=100 shortens the last.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/figures.bash"
need python3 softhsm2-util openssl tiffcp
need_program sealroomd sealroom tests/b_bare
RUNS=${BENCH_RUNS:-3} COPIES=${BENCH_COPIES:-8}
CORES=$(nproc)
PROCTREE=$TOP/tests/bench/proctree
results() { find "$R/in/$DONE" -name '*.pdf' 2>/dev/null | wc -l; }
reached() { # looked at many times a second, beside what is measured: no process is started for it
	local found=("$R/in/$DONE"/*.pdf)
	[ -e "${found[0]}" ] && [ ${#found[@]} -ge "$1" ]
}
exec {TICK}<> <(:)
wait_results() { # count, seconds
	local end=$((SECONDS + $2))
	until reached "$1"; do
		[ $SECONDS -lt $end ] || { { echo "only $(results) of $1 results"; tail -n 20 "$LOG"; } >&2; exit 70; }
		read -rt 0.05 -u "$TICK" # nothing ever comes: waits without a process
	done
}
begin() { room_start && wait_for 60 ready; sleep 1; }

room_new
SETTLE=50ms
EXTRA='max_jobs = 64;'
SCAN_EXTRA='blank = "keep";' # a document of nothing but blank pages is held else
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
tsa_start
echo "sealroom bench: $CORES cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%d)"

# --- pages a minute, end to end, against recognition alone ---------------------------------
upright="de-brief.tif en-letter.tif de-rechnung.jpg en-invoice.png de-schief.tif"
files=()
for f in $upright; do for c in $(seq "$COPIES"); do files+=("$f:$c"); done; done
bare_list=()
for f in "${files[@]}"; do bare_list+=("$SCANS/${f%:*}"); done
bare=() full=() pages=0
# CPU seconds of the tests' time-stamp authority and of the openssl it starts, which stands elsewhere in life.
authority() { awk -v t="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / t }' "/proc/$TSA_PID/stat"; }
begin
stamped=$(authority)
for run in $(seq "$RUNS"); do
	out=$("$BIN/tests/b_bare" "$CORES" deu+eng "${bare_list[@]}") || exit 70
	pages=$(echo "$out" | awk '{ print $2 }')
	bare+=("$(echo "$out" | awk '{ print $4 }')")
	had=$(results)
	for f in "${files[@]}"; do cp "$SCANS/${f%:*}" "$R/in/.r$run-${f#*:}-${f%:*}"; done
	t0=$(now)
	for f in "${files[@]}"; do mv "$R/in/.r$run-${f#*:}-${f%:*}" "$R/in/r$run-${f#*:}-${f%:*}"; done
	wait_results $((had + ${#files[@]})) 600
	full+=("$(calc '%.3f' "$(now) - $t0")")
done
stamped=$(calc '%.2f' "($(authority) - $stamped) / $RUNS")
b=$(median "${bare[@]}") f=$(median "${full[@]}")
echo "bare recognition   ${bare[*]} s for $pages pages: $(calc '%.1f' "$pages * 60 / $b") pages/min"
echo "end to end         ${full[*]} s: $(calc '%.1f' "$pages * 60 / $f") pages/min, B-T, ${#files[@]} documents"
bar "end to end, seal and log included, against bare recognition" "$(calc '%.1f' "100 * $b / $f")" ">=" 90 "%"
echo "  of each run's CPU $stamped s were the test authority's; had it stood elsewhere: $(calc '%.1f' "100 * $b / ($f - $stamped / $CORES)") %"

# --- CPU of a document beyond recognition and token ----------------------------------------
# The core with the log, the zygotes with their forks, and the tasks that build, read back,
# seal and judge.  Left out: reading the page, the token, the time-stamp's transport.
"$TOOLS/small-scan" "                       " "$W/one.tif"
N=40
beyond() { # CPU seconds so far
	local tasks
	tasks=$(cmd status --json | python3 -c 'import json, sys
t = json.load(sys.stdin)["tasks"]
print(sum(t[k]["cpu_us"] for k in ("compose", "field", "sigs", "attach", "judge") if k in t) / 1e6)')
	"$PROCTREE" own "$ROOM_PID" | tr ' ' '\n' | paste -d' ' - - |
	    awk -v s="$tasks" '$1 == "sealroomd" || $1 == "sealroom-scan" || $1 ~ /^sealroom-verif/ { s += $2 } END { printf "%.3f", s }'
}
measure() { # tag: CPU milliseconds a document
	local before had i
	had=$(results) before=$(beyond)
	for i in $(seq $N); do cp "$W/one.tif" "$R/in/.$1-$i.tif"; done
	for i in $(seq $N); do mv "$R/in/.$1-$i.tif" "$R/in/$1-$i.tif"; done
	wait_results $((had + N)) 120
	sleep 1
	calc '%.1f' "($(beyond) - $before) * 1000 / $N"
}
own=()
for run in $(seq "$RUNS"); do own+=("$(measure "a$run")") || exit 70; done
echo "a document's own CPU, $RUNS runs: ${own[*]} ms"
bar "core + compose + field + verify + log of a one-page job" "$(median "${own[@]}")" "<=" 30 "ms"
room_stop

# --- memory: 1,000 pages ----------------------------------------------------------------------
P=${BENCH_PAGES:-1000}
"$TOOLS/small-scan" "PAGE 1 OF 1000" "$W/p.tif" && tiffcp -c g4 "$W/p.tif" "$W/many.tif" || exit 70
while [ "$(tiffinfo "$W/many.tif" 2>/dev/null | grep -c 'Image Width')" -lt "$P" ]; do
	tiffcp "$W/many.tif" "$W/many.tif" "$W/more.tif" && mv "$W/more.tif" "$W/many.tif" || exit 70
done
real=$(tiffinfo "$W/many.tif" 2>/dev/null | grep -c 'Image Width')
begin
had=$(results)
drop "$W/many.tif"
wait_results $((had + 1)) 900
sleep 1
peak() { cmd status --json | python3 -c 'import json, sys; print("%.1f" % (json.load(sys.stdin)["tasks"][sys.argv[1]]["peak_kib"] / 1024))' "$1"; }
bar "VmHWM of composing $real pages of a line" "$(peak compose)" "<=" 64 "MiB"
if [ -x "$BIN/tests/b_compose" ]; then
	read -r mib seconds < <(SEALROOM_LIBEXEC=$BIN "$BIN/tests/b_compose" 5000 400)
	echo "5,000 pages of 400 words each, and a rule that looks through them: composed in $seconds s of CPU"
	bar "VmHWM of composing them" "$mib" "<=" 64 "MiB"
fi
bar "VmHWM of the core with them" "$(calc '%.1f' "$("$PROCTREE" core "$ROOM_PID") / 1024")" "<=" 30 "MiB"
had=$(results)
drop "$SCANS/de-rechnung.jpg" colour.jpg
wait_results $((had + 1)) 120
bar "VmHWM of a page child (A4, colour, JPEG)" "$(peak page)" "<=" 180 "MiB"

# --- size of the results ------------------------------------------------------------------------
worst=0
for f in $upright; do
	n=$(tiffinfo "$SCANS/$f" 2>/dev/null | grep -c 'Image Width')
	[ "$n" -gt 0 ] || n=1
	over=$(($(stat -c %s "$R/in/$DONE/r1-1-${f%.*}.pdf") - $(stat -c %s "$SCANS/$f") - 4096 * n))
	[ $over -gt $worst ] && worst=$over
done
bar "bytes beyond the input and 4 kB a page, worst letter" "$(calc '%.1f' "$worst / 1000")" "<=" 56 "kB"
room_stop

# --- the log ------------------------------------------------------------------------------------
if [ -x "$BIN/tests/b_log" ]; then
	echo "the log (bar: a million entries recomputed in 0.7 s a core):"
	"$BIN/tests/b_log" "$W" | sed 's/^/  /'
fi

# --- the audit ------------------------------------------------------------------------------------
# An archive of large documents, in the page cache, against SHA-256 of openssl on as many cores.
A=${BENCH_AUDIT_MIB:-1024}
rm -rf "$R" && room_new && tsa_start
room_once --wait 2
"$BIN/tests/b_core" audit "$R" "$A" || exit 70
audited=() sha=()
for run in $(seq "$RUNS"); do
	sha+=("$(openssl speed -seconds 2 -bytes 16384 -multi "$CORES" -evp sha256 2>/dev/null |
	    awk '/^evp|^sha256/ { print $NF }' | tr -d k)")
	t0=$(now)
	cmd audit > "$W/audit.out" || { tail -n 5 "$W/audit.out" >&2; exit 70; }
	audited+=("$(calc '%.0f' "$A * 1048.576 / ($(now) - $t0)")")
done
echo "audit ${audited[*]} kB/s, openssl speed ${sha[*]} kB/s, $CORES cores"
bar "audit against openssl speed sha256, all cores" \
    "$(calc '%.1f' "100 * $(median "${audited[@]}") / $(median "${sha[@]}")")" ">=" 80 "%"

# --- the core's loop, and a start --------------------------------------------------------------
M=${BENCH_MIB:-2048}
mkdir "$W/large"
read -r longest seconds < <("$BIN/tests/b_core" turn "$W/large" "$M")
rm -rf "$W/large"
echo "a document of $M MiB into the archive: $seconds s; longest turn of the loop $longest ms (one of 4 MiB, or one sync)"

# Until the daemon answers that it runs: the log has proven itself, all open jobs are at work.
running() { cmd status --json 2>/dev/null | grep -q '"state": *"running"'; }
recovery() { # sentence, bar
	local t0 t1
	t0=$(now)
	room_start
	wait_for 120 running || { tail -n 5 "$LOG" >&2; exit 70; }
	t1=$(now)
	bar "$1" "$(calc '%.2f' "$t1 - $t0")" "<=" "$2" "s"
	kill -KILL "$ROOM_PID"
	wait "$ROOM_PID" 2>/dev/null
}
E=${BENCH_ENTRIES:-300000}
rm -rf "$R" && room_new && tsa_start
room_once --wait 2
"$BIN/tests/b_core" spool "$R/state" 2000 0 || exit 70
cp -a "$R" "$W/short"
recovery "start with 2,000 open jobs, an empty archive" 12
rm -rf "$R" && mv "$W/short" "$R"
"$BIN/tests/b_core" log "$R" "$E" 20000 || exit 70
recovery "start with 2,000 open jobs, $E entries, 20,000 documents" 12
exit 0
