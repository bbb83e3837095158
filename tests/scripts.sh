#!/bin/bash
# The test scripts themselves hold up to shellcheck.
. "$(dirname "$0")/lib.sh"
need shellcheck
cd "$TOP" || exit 70
for s in tests/*.sh tests/*/*.sh .ci/run; do
	is "$(shellcheck -x -P SCRIPTDIR -S warning "$s" 2>&1)" "" "$s is clean"
done
finish
