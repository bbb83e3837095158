# shellcheck shell=bash
# figures.bash - what the benches have in common.  Sourced behind tests/lib.sh.
now() { date +%s.%N; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; } # format, expression
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
bar() { # sentence, value, relation, bar, unit; no value is no figure
	[[ $2 =~ ^-?[0-9]+(\.[0-9]+)?$ ]] || { echo "$1: could not be taken: '$2'" >&2; exit 70; }
	awk -v v="$2" -v r="$3" -v b="$4" 'BEGIN { exit !(r == "<=" ? v <= b : v >= b) }' && m="met" || m="NOT met"
	printf '%-66s %8s %s   bar %s %s: %s\n' "$1" "$2" "$5" "$3" "$4" "$m"
}
# Are all tokens of the running daemon?
ready() { cmd status --json 2>/dev/null | python3 -c 'import json, sys; sys.exit(not all(t["ready"] for t in json.load(sys.stdin)["tokens"]))'; }
