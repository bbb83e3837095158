#!/bin/bash
# What people read: manual pages, words of errors, translations.
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 70
need mandoc msgfmt

pages=$(git ls-files '*.[1-8]' 2>/dev/null || find . -name '*.[1-8]' ! -path './build*')
[ -n "$pages" ] || pages=$(find agent scan seal rules systemd -name '*.[1-8]')
for p in sealroomd.8 sealroom-scan.8 sealroom-seal.8 sealroom-verify.8 sealroom-fetch.8 sealroom.1 sealroom.conf.5 sealroom-control.7 sealroom-ticket.5; do
	printf '%s\n' "$pages" | grep -q "/$p$"
	ok $? "$p is there"
done
for p in $pages; do
	is "$(mandoc -T lint -W warning "$p" 2>&1 | grep -v 'referenced manual not found')" "" "${p##*/} is clean mdoc"
	for s in NAME SYNOPSIS DESCRIPTION; do
		case $p:$s in *.5:SYNOPSIS | *.7:SYNOPSIS) continue ;; esac
		grep -q "^\.Sh $s" "$p" || ok 1 "${p##*/} has a section $s"
	done
done

# Every word an operator may meet stands in a manual page.
# shellcheck disable=SC2086
all=$(cat $pages /dev/null | sed 's/\\-/-/g')
lost=$(sed -n 's/^[ \t]*X(ERR_[A-Z_]*,[ \t]*[A-Z]*,[ \t]*"\([a-z-]*\)").*/\1/p' agent/lib/err.h | while read -r word; do
	printf '%s\n' "$all" | grep -qE "(^| )$word( |\$)" || echo "$word"
done)
is "$lost" "" "every word of an error is explained in a manual page"
[ "$(sed -n 's/^[ \t]*X(ERR_[A-Z_]*,.*/x/p' agent/lib/err.h | wc -l)" -gt 30 ]
ok $? "the words were found in the header"

# The other way round: what can be asked for, written and waited for.
lost=$(sed -n 's/^\t{ "\([a-z]*\)", .*/\1/p' agent/sealroom.c | while read -r verb; do
	grep -qE "^\.It Ic $verb( |\$)" agent/sealroom.1 || echo "$verb"
done)
is "$lost" "" "every verb of the command is in its page"
[ "$(sed -n 's/^\t{ "\([a-z]*\)", .*/\1/p' agent/sealroom.c | wc -l)" -gt 20 ]
ok $? "the verbs were found in the source"

for po in agent/po/*.po; do
	[ -e "$po" ] || { ok 1 "translations are there"; break; }
	out=$(msgfmt --check --statistics -o /dev/null "$po" 2>&1)
	! printf '%s\n' "$out" | grep -qE 'fuzzy|untranslated|error'
	ok $? "$po is complete" || note "$out"
done
if command -v xgettext >/dev/null && [ -e agent/po/de.po ]; then
	xgettext -k_ -kN_ -kproblem_words -kproblem_add:3 -kproblem_here:2 -kwrong:2 -kmessage_get:2 -kcheck_say:4 -kcheck_word:2 -kcollision:3 \
	    --from-code=UTF-8 -o "$W/all.pot" agent/*.c rules/*.c 2>/dev/null
	[ -e "$W/all.pot" ] || : >"$W/all.pot"
	is "$(msgcmp --use-untranslated agent/po/de.po "$W/all.pot" 2>&1 | grep -v '^$' | head -20)" "" \
	    "every marked sentence of the sources is in the German catalogue"
fi
# xgettext sees what is marked; a setter of the table of settings says nothing else to a person.
is "$(grep -nE '(return|said\[\] =) "[A-Za-z]' rules/keys.c)" "" "what can be wrong with a value of the settings is marked"
finish
