#!/bin/bash
# prove.sh [-j JOBS] [-t SECONDS] [-l LOGDIR] TEST...: run tests that print TAP.
#
# One line a test; what failed is shown below it; the last line is
# "N passed, N failed, N skipped", counted in TAP points.  Exit 1 when anything
# failed.  A test that does not keep its plan, dies, overstays its time limit
# ("# limit: SECONDS" in a script) or leaves processes behind has failed.
# "# alone" in a script: it wants the machine for itself and runs after the others.
# Each test has a fresh TMPDIR, removed behind it (KEEP=1: not), and its output in
# LOGDIR.  SEALROOM_BIN says where the programs are.
set -u
jobs=2 limit=300 log=
while getopts j:t:l: o; do
	case $o in
	j) jobs=$OPTARG ;;
	t) limit=$OPTARG ;;
	l) log=$OPTARG ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
cd "$(dirname "$0")/.." || exit 70
: "${SEALROOM_BIN:=$PWD/build}" "${TMPDIR:=/tmp}"
[ -n "${OUT-}" ] && [ -d "$OUT" ] && log=$OUT/$(basename "${log:-log}")
: "${log:=$SEALROOM_BIN/log}"
run=$(mktemp -d "$TMPDIR/sr.XXXXXX") || exit 73
trap 'rm -rf "$run"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$log" "$run/cache" || exit 73
export SEALROOM_BIN SEALROOM_CACHE=$run/cache LC_ALL=C.UTF-8 TZ=UTC
within=$SEALROOM_BIN/tests/within

# One test: its TAP goes to LOG.tap, its errors to LOG.err, "exit seconds" to LOG.end.
one() {
	local test=$1 name=$2 max=$limit own dir began leaks
	dir=$(mktemp -d "$run/XXXX") || return
	own=$(sed -n '1,20s/^# limit: \([0-9]*\)$/\1/p' "$test" 2>/dev/null | head -n 1)
	began=$(date +%s)
	# Leaks are looked for in unit tests that start none of our programs: a confined or
	# traced process can not look for its own.
	leaks=0
	case $test in */t_*) grep -qE 'sealroom-(fetch|seal|verify|scan)"' "tests/unit/${test##*/}.c" || leaks=1 ;; esac
	LSAN_OPTIONS=suppressions=$PWD/tests/leaks:print_suppressions=0 ASAN_OPTIONS=detect_leaks=$leaks TMPDIR=$dir "$within" "${own:-$max}" "$test" >"$log/$name.tap" 2>"$log/$name.err" </dev/null
	echo "$? $(($(date +%s) - began))" >"$log/$name.end"
	[ -n "${KEEP-}" ] || rm -rf "$dir"
}

passed=0 failed=0 skipped=0
judge() {
	local test=$1 name=$2 rc secs plan ok bad skip ran why=
	read -r rc secs <"$log/$name.end"
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log/$name.tap" | tail -n 1)
	skip=$(grep -cE '^ok\b.*# SKIP' "$log/$name.tap")
	ok=$(($(grep -cE '^ok\b' "$log/$name.tap") - skip))
	bad=$(grep -cE '^not ok\b' "$log/$name.tap")
	ran=$((ok + bad + skip))
	grep -qE '^1\.\.0 # SKIP' "$log/$name.tap" && skip=1
	case $rc in
	0 | 1) ;;
	124) why="took longer than its time" ;;
	125) why="left processes running" ;;
	*) why="ended with status $rc" ;;
	esac
	[ -z "$why" ] && [ "$rc" = 1 ] && [ "$bad" = 0 ] && why="ended with status 1"
	[ -z "$why" ] && [ "${plan:-none}" != "$ran" ] && why="planned ${plan:-none}, ran $ran"
	[ -n "$why" ] && bad=$((bad + 1))
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	printf '%-6s %-34s %4d passed%s%s  %d s\n' "$([ "$bad" = 0 ] && echo ok || echo FAILED)" "$name" "$ok" \
	    "$([ "$bad" = 0 ] || echo ", $bad failed")" "$([ "$skip" = 0 ] || echo ", $skip skipped")" "$secs"
	grep -E '# SKIP' "$log/$name.tap" | sed -E 's/^(ok [0-9]+ - |1\.\.0 )?/       /'
	[ "$bad" = 0 ] && return
	[ -n "$why" ] && echo "       $test $why"
	awk '/^not ok/ { show = 1; print "       " $0; next } /^#/ { if (show) print "         " $0; next } { show = 0 }' \
	    "$log/$name.tap"
	tail -n 25 "$log/$name.err" | sed 's/^/         | /'
}

# A test's name is its path below tests/ with dashes; results are shown as they come.
name_of() {
	local n=${1#tests/}
	case $1 in */t_*) n=${1##*/} ;; esac
	n=${n%.sh}
	echo "${n//\//-}"
}
alone() { sed -n '1,20p' "$1" 2>/dev/null | grep -q '^# alone$'; }
declare -A running=()
collect() {
	local pid
	wait -n -p pid "${!running[@]}" 2>/dev/null
	[ -n "${pid-}" ] || return
	judge "${running[$pid]}" "$(name_of "${running[$pid]}")"
	unset "running[$pid]"
}
start() {
	one "$1" "$(name_of "$1")" &
	running[$!]=$1
}

later=()
for test in "$@"; do
	if [ ! -x "$test" ]; then
		echo "FAILED $test is not there, or not executable"
		failed=$((failed + 1))
	elif case $test in *.sh) alone "$test" ;; *) false ;; esac; then
		later+=("$test")
	else
		[ ${#running[@]} -lt "$jobs" ] || collect
		start "$test"
	fi
done
while [ ${#running[@]} -gt 0 ]; do collect; done
for test in "${later[@]}"; do
	start "$test"
	collect
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
