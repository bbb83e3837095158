#!/bin/bash
# The runner itself: what it must not take for a success.
. "$(dirname "$0")/lib.sh"
need_program tests/within
cd "$W" || exit 70
given() { # name, body
	printf '#!/bin/bash\n%s\n' "$2" >"$W/$1.sh" && chmod +x "$W/$1.sh"
}
proven() { # name: prints the last line of the runner, sets RC
	OUT='' "$TOP/tests/prove.sh" -t 2 -l "$W/log" "$W/$1.sh" >"$W/$1.out" 2>&1
	RC=$?
	tail -n 1 "$W/$1.out"
}
given good 'echo "ok 1 - a"; echo "ok 2 - b # SKIP no reason"; echo 1..2'
is "$(proven good)" "1 passed, 0 failed, 1 skipped" "points are counted"
given bad 'echo "not ok 1 - a sentence"; echo "# why"; echo 1..1; exit 1'
is "$(proven bad)" "0 passed, 1 failed, 0 skipped" "a failed point is a failure"
like "$(cat "$W/bad.out")" "not ok 1 - a sentence" "and is shown"
given short 'echo "ok 1 - a"; echo 1..2'
is "$(proven short)" "1 passed, 1 failed, 0 skipped" "a plan that is not kept is a failure"
given none 'exit 0'
is "$(proven none)" "0 passed, 1 failed, 0 skipped" "no plan at all is a failure"
given dies 'echo "ok 1 - a"; echo 1..1; kill -SEGV $$'
is "$(proven dies)" "1 passed, 1 failed, 0 skipped" "death by a signal is a failure"
given slow 'echo "ok 1 - a"; echo 1..1; sleep 60'
is "$(proven slow)" "1 passed, 1 failed, 0 skipped" "a test that overstays is ended and has failed"
given leaves 'echo "ok 1 - a"; echo 1..1; (setsid sleep 61 & echo $! >'"$W"'/pid) >/dev/null 2>&1'
is "$(proven leaves)" "1 passed, 1 failed, 0 skipped" "a test that leaves a process behind has failed"
[ -s "$W/pid" ] && ! kill -0 "$(cat "$W/pid")" 2>/dev/null
ok $? "and the process is gone"
given skipped 'echo "1..0 # SKIP not here"'
is "$(proven skipped)" "0 passed, 0 failed, 1 skipped" "a test may skip as a whole"
proven bad >/dev/null
is $RC 1 "the runner says by its status that something failed"
finish
