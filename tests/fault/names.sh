#!/bin/bash
# limit: 7200
# alone
# I17: whatever a sender calls its file, and whatever fails meanwhile, the name reaches no
# line of a log, no path of ours and no command as it is; and the document comes back.
#
# For each name a seeded sample of deaths, errors and power cuts (NAMES=N of them each, 1;
# NAMES_SEED=N others).  Then names of what is refused and held, beside a daemon that runs.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/trial.bash"
need python3 softhsm2-util openssl
need_program sealroomd sealroom tests/tracer tests/oom.so
names=(
	$'line\nFORGED <3>sealroomd: all is well\r.tif'
	$'esc\e[31m\e]0;title\a\b\b\b.tif'
	$'bidi\u202efit.\u2066\u200b\u2028.tif'
	$'c1\xc2\x9b31m\xc2\x85.tif'
	'%n%s%s%1000000d%.tif'
	'$(touch hit)`touch hit`;touch hit|touch hit&"'"'"'.tif'
	$'bad\xff\xfe\xc3\xf5.tif'
	'--rf -o \x41\\n {id} {org}.tif'
	"$(printf 'y%.0s' $(seq 251)).tif"
	"$(printf '\x01%.0s' $(seq 251)).tif"
	$'\n\n..\t.tif'
)
cd "$W" || exit 70 # where a command of a name would leave its mark
LETTER=${names[0]}
room_template
renamed() { # name
	[ "$1" = "$LETTER" ] || mv -- "$W/sender/$LETTER" "$W/sender/$1"
	[ "$1" = "$LETTER" ] || mv -- "$W/t/in/$LETTER" "$W/t/in/$1"
	LETTER=$1
}
each=${NAMES:-1}
kinds=(before-X "error-X EIO" "error-X ENOSPC" "cut-X lost" "cut-X names" "after-X" "from-X EIO")
trials_of() { # number of the name: some where the name is part of the call, some others
	awk -F'\t' '$5 >= 0 && $6 $7 ~ /\/(in|events)\// { print $1 }' "$W/calls" >"$W/k"
	shuf -n $(((each + 1) / 2)) --random-source=<(seeded "${NAMES_SEED:-1}-$1-a") "$W/k" >"$W/picked"
	awk -F'\t' '$5 >= 0 { print $1 }' "$W/calls" | shuf -n $((each / 2)) --random-source=<(seeded "${NAMES_SEED:-1}-$1-b") >>"$W/picked"
	local k kind i=$1
	while read -r k; do
		kind=${kinds[$((i++ % ${#kinds[@]}))]}
		# shellcheck disable=SC2086
		set -- $kind
		echo "${1%X}$k-$i ${1%-X} $k ${2-}"
	done <"$W/picked"
}
for i in "${!names[@]}"; do
	renamed "${names[$i]}"
	undisturbed
	trials_of "$i" >"$W/trials"
	together "$together_n" <"$W/trials"
	while read -r name fault; do
		[ -e "$W/out.$name" ] && [ ! -s "$W/out.$name" ]
		ok $? "name $i, $fault: after a restart all holds" || note "$(cat "$W/out.$name")"
		rm -f "$W/out.$name"
	done <"$W/trials"
done

# What is refused, and what a person must decide: their words and pictures are named after it.
R=$W/room
rm -rf "$R/in" && mkdir "$R/in"
RULES='all : { when = "always"; place = { near = "NOT THERE"; size = [ "20mm", "6mm" ]; otherwise = "hold"; }; seal = "stamp"; };'
room_settings
at "$R"
room_start
wait_for 20 cmd status || daemon_said
for i in "${!names[@]}"; do
	{ printf 'no document %d' "$i" >"$R/in/.a"; } && mv -- "$R/in/.a" "$R/in/${names[$i]}"
done
wait_for 60 eval '[ "$(find "$R/in/error" -type f | wc -l)" = $((2 * ${#names[@]})) ]'
is $? 0 "files of all these names are refused, each with a reason beside it" || note "$(ls -b "$R/in/error")"
for i in "${!names[@]}"; do
	cp "$W/sender/$LETTER" "$R/in/.a" && echo "$i" >>"$R/in/.a" && mv -- "$R/in/.a" "$R/in/${names[$i]}"
done
wait_for 90 eval '[ "$(find "$R/in/held" -type f ! -name "*.png" ! -name "*.txt" ! -name "*.html" | wc -l)" = ${#names[@]} ]'
is $? 0 "letters of these names are held" || note "$(ls -b "$R/in/held")"
ask_about
room_stop
"$TOP/tests/fault/check" --names "$R" >"$W/check"
is $? 0 "and no name came through as it is" || note "$(cat "$W/check")"
finish
