#!/bin/bash
# Includes only point down, and the top level holds what it is meant to hold.
#
#   agent/lib <- rules <- { scan, seal } <- agent       tests see everything
#   agent takes of seal only seal/evidence/ and the message-free headers of
#   seal/verify/; of scan nothing; scan and seal never include each other.
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 70

may() { # including file, included file
	local from=$1 what=$2
	case $from:$what in
	agent/lib/*:agent/lib/*) ;;
	rules/*:agent/lib/* | rules/*:rules/*) ;;
	scan/*:agent/lib/* | scan/*:rules/* | scan/*:scan/*) ;;
	seal/*:agent/lib/* | seal/*:rules/* | seal/*:seal/*) ;;
	agent/lib/*) return 1 ;;
	agent/*:agent/* | agent/*:rules/* | agent/*:seal/evidence/* | agent/*:seal/verify/*.h) ;;
	*) return 1 ;;
	esac
}
# Rules above must be able to fail.
for bad in "agent/lib/io.c rules/conf.h" "rules/x.c scan/scan.h" "scan/x.c seal/token.h" "seal/x.c scan/scan.h" \
    "agent/x.c scan/scan.h" "agent/x.c seal/token.h" "scan/x.c agent/children.h"; do
	# shellcheck disable=SC2086
	may $bad
	[ $? = 1 ]
	ok $? "an include from ${bad/ / of } would be found"
done

bad=$(grep -Hn '^#[ 	]*include "' agent/*.[ch] agent/lib/*.[ch] rules/*.[ch] scan/*.[ch] seal/*.[ch] seal/*/*.[ch] 2>/dev/null |
    sed -E 's/^([^:]*):[0-9]*:#[ \t]*include "([^"]*)".*/\1 \2/' | while read -r from what; do
	may "$from" "$what" || echo "$from includes $what"
done)
is "$bad" "" "includes only point down"

missing=$(grep -h '^#[ 	]*include "' agent/*.[ch] agent/lib/*.[ch] rules/*.[ch] scan/*.[ch] seal/*.[ch] seal/*/*.[ch] 2>/dev/null |
    sed -E 's/^#[ \t]*include "([^"]*)".*/\1/' | sort -u | while read -r f; do
	[ -e "$f" ] || [ -e "$BIN/$f" ] || echo "$f"
done)
is "$missing" "" "every include is written from the top"

extra=$(find . -maxdepth 1 -mindepth 1 ! -name '.*' ! -name 'build*' ! -name demo ! -name out -printf '%f\n' |
    grep -vxE 'agent|scan|seal|rules|tests|systemd|Makefile|README.md|LICENSE|CHANGES.md')
is "$extra" "" "the top level holds the six rooms and four files"

calls=$(grep -nE '\b(system|popen|strcat|sprintf|gets|mktemp|tmpnam|alloca)\(' \
    agent/*.c agent/lib/*.c rules/*.c scan/*.c seal/*.c seal/*/*.c 2>/dev/null)
is "$calls" "" "no shell and no unbounded string function in the sources"
threads=$(grep -nE '\b(pthread_create|thrd_create)\(' agent/*.c agent/lib/*.c rules/*.c scan/*.c seal/*.c seal/*/*.c 2>/dev/null)
is "$threads" "" "no thread is made"
finish
