#!/bin/bash
# limit: 600
# alone
# As sweep.sh, of a stack of two documents that is divided: wherever its durable calls are cut
# short or fail, after a restart each document is sealed, archived, logged and handed out once,
# and the stack is archived once, as it came, with the list of them.
# Here some of the calls; SWEEP as in sweep.sh.
STACK=2 PICK=37 TSA_SECONDS=14400
[ "${SWEEP-}" != sample ] || SWEEP= # they are few
# shellcheck source=tests/fault/sweep.sh
. "$(dirname "$0")/sweep.sh"
