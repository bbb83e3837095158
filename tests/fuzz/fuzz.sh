#!/bin/bash
# limit: 100000
# alone
# Fuzzing: each target with its corpus, then FUZZ_SECONDS (30) of inputs of its own making,
# under ASan and UBSan; as many at once as there are cores, at most four.
#
#	FUZZ_SECONDS=600 FUZZ_ONLY="image pdf" tests/fuzz/fuzz.sh
#
# Without FUZZ_SECONDS each run makes the same inputs (FUZZ_SEED=1): a test says the same
# of the same tree.  With it, and no FUZZ_SEED, every run makes others: that is the search.
#
# What a target finds stays in $FUZZ_FOUND (log/fuzz beside the programs) and belongs,
# once its cause is removed, into tests/fuzz/corpus/NAME.  A target that finds nothing
# has proven little: each has a bug of our own behind a switch, which it must find.
. "$(dirname "$0")/../lib.sh"
cd "$TOP" || exit 70
need python3 clang-14
seed=${FUZZ_SEED:-${FUZZ_SECONDS:+0}} # 0: of the moment
seed=${seed:-1}
seconds=${FUZZ_SECONDS:-30}
found=${FUZZ_FOUND:-${OUT:-$BIN}/log/fuzz}
planted_seconds=90 # mostly it takes one or two
jobs=$(nproc)
[ "$jobs" -gt 4 ] && jobs=4
# Inputs a second: a run with fewer hangs in something.  A tenth of what a loaded machine manages.
declare -A least=()
while read -r name n; do least[$name]=$n; done <tests/fuzz/least

run() { # NAME SECONDS LOG DIRECTORY...: status of libFuzzer
	local name=$1 most=$2 log=$3
	shift 3
	[ -e "$W/corpus/$name.dict" ] && set -- -dict="$W/corpus/$name.dict" "$@"
	LSAN_OPTIONS=suppressions=$TOP/tests/leaks ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 nice "$BIN/fuzz/tests/f_$name" -seed="$seed" -max_total_time="$most" \
	    -timeout=25 -rss_limit_mb=1536 -max_len=16384 -print_final_stats=1 -artifact_prefix="$found/$name-" "$@" >"$log" 2>&1
}
stat_of() { # KEY LOG
	sed -n "s/^stat::$1: *//p" "$2" | tail -n 1
}
one() { # NAME: 0; its lines of TAP without numbers in $W/NAME.tap
	local name=$1 log=$W/$1.log rc runs accepted
	mkdir -p "$W/new/$name"
	run "$name" "$seconds" "$log" "$W/new/$name" "$W/corpus/$name"
	rc=$?
	runs=$(stat_of number_of_executed_units "$log")
	accepted=$(stat_of accepted "$log")
	{
		echo "$((rc != 0)) $name: $seconds seconds without a finding: ${runs:-0} inputs, ${accepted:-0} accepted, $(find "$W/new/$name" -type f |
		    wc -l) new to it"
		[ $rc = 0 ] || grep -E 'ERROR|not so|runtime error|SUMMARY|Test unit|^    #[0-9]' "$log" | head -n 20 | sed 's/^/# /'
		[ "${runs:-0}" -ge $((seconds * ${least[$name]:?})) ]
		echo "$? $name: at least ${least[$name]} inputs a second"
		[ "${accepted:-0}" -gt 0 ]
		echo "$? $name: and some are taken for good"
		FUZZ_PLANTED=1 found=$W run "$name" "$planted_seconds" "$log.planted" "$W/corpus/$name"
		[ $? != 0 ] && grep -q 'heap-buffer-overflow' "$log.planted" && grep -q 'in fuzz_planted' "$log.planted"
		echo "$? $name: a bug that was planted is found"
	} >"$W/$name.tap"
}

names=${FUZZ_ONLY:-$(for f in tests/fuzz/f_*.c; do n=${f##*/f_}; echo "${n%.c}"; done)}
mkdir -p "$found" || bail "$found can be written"
for name in $names; do need_program "fuzz/tests/f_$name"; done
tests/fuzz/make-corpus "$W/corpus" || bail "the corpora can be made"
for name in $names; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
	one "$name" &
done
wait
for name in $names; do
	while read -r result sentence; do
		case $result in
		'#') echo "# $sentence" ;;
		*) ok "$result" "$sentence" ;;
		esac
	done <"$W/$name.tap"
done
finish
