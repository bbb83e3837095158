#!/bin/bash
# threats.md names files, and tests that are run: all of them are there.
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 70
named() { # column of the table: what stands there in backquotes
	awk -F'|' -v c="$1" '/^\| T[0-9]/ { print $c }' "${2:-tests/threats.md}" | grep -o '`[^`]*`' | tr -d '`' | sort -u
}
is "$(grep -c '^| T[0-9]* |' tests/threats.md)" 29 "every threat has its line"
for f in $(named 4 | grep /); do
	[ -e "$f" ]
	ok $? "$f is there"
done
for t in $(named 5); do
	[ -e "tests/$t" ] && { [ "${t%.sh}" = "$t" ] || [ -x "tests/$t" ]; }
	ok $? "tests/$t is there"
done
sed 's#`unit/t_conf.c`#`unit/t_none.c`#' tests/threats.md >"$W/twin.md"
missing=$(for t in $(named 5 "$W/twin.md"); do [ -e "tests/$t" ] || echo "$t"; done)
is "$missing" "unit/t_none.c" "one that is not would be found"
finish
