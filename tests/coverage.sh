#!/bin/bash
# coverage.sh [-j JOBS] TEST...: run tests of a build with COVERAGE=1, then say which lines they reached.
#
# A table with one line a file, and the lines that were never reached (all of them in
# LOG/coverage.txt).  Exit 1 when a file of the bar has less than 95 %: the state machine
# and the spool (agent/), the evidence log (seal/evidence/).  A process that is killed
# takes its counters with it: what only such a process does counts as not reached.
set -u
cd "$(dirname "$0")/.." || exit 70
: "${SEALROOM_BIN:?}" "${TMPDIR:=/tmp}"
jobs=2
[ "${1-}" = -j ] && jobs=$2 && shift 2
log=${OUT:-$SEALROOM_BIN}/log
GCOV_PREFIX=$(mktemp -d "$TMPDIR/cov.XXXXXX") || exit 73
export GCOV_PREFIX FAULTS_STEP=${FAULTS_STEP:-17}
trap 'rm -rf "$GCOV_PREFIX"' EXIT
tests/prove.sh -j "$jobs" -t 900 -l "$log" "$@"
tested=$?
data=$GCOV_PREFIX$SEALROOM_BIN
tests/tools/coverage-table "$SEALROOM_BIN" "$data" "$log/coverage.txt" || exit 1
exit $tested
