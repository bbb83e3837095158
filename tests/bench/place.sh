#!/bin/bash
# Where seals go, over pages of our own drawing that are really read: a table by
# difficulty, and the bars.  PLACE_PAGES (1200), PLACE_SEED, PLACE_FIRST choose pages; pages and what was
# read of them stay below $O/place, so that a change of the rules is judged in seconds.
set -u
cd "$(dirname "$0")/../.." || exit 70
BIN=${SEALROOM_BIN:-$PWD/build}
room=$BIN/place count=${PLACE_PAGES:-1200} seed=${PLACE_SEED:-1} first=${PLACE_FIRST:-0}
pages=$room/$seed.$first.$count.$(sha256sum tests/tools/make-pages | cut -c1-8)
# whatever reads a page; not what decides
code=$(cat scan/*.[ch] rules/pagefile.[ch] | sha256sum | cut -c1-8)
mkdir -p "$pages" && mkdir -p "$pages/read.$code" || exit 73
[ -e "$pages/truth.jsonl" ] || tests/tools/make-pages "$pages" "$count" "$seed" "$first" || exit 70
OMP_THREAD_LIMIT=1 "$BIN/tests/b_place" "$pages" "$pages/read.$code" >"$pages/places.jsonl" || exit 70
tests/tools/judge-pages "$pages" "$pages/places.jsonl" "$@"
