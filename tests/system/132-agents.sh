#!/bin/bash
# limit: 400
# Two daemons and one folder: one alone takes from it, or both share it by claim = "rename".
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroomd
room_new
LEVEL=B-B
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'

PID_anna=

# settings NAME FOLDER_EXTRA EXTRA: $R/NAME.conf, with state, archive and log of its own
settings() {
	FOLDER_EXTRA=$2 EXTRA=$3 room_settings
	mkdir -p "$R/$1" "$R/$1/archive"
	sed -e "s#\"$R/\(state\|archive\|anchor\|control\)#\"$R/$1/\1#g" "$R/sealroom.conf" >"$R/$1.conf"
	chmod 600 "$R/$1.conf"
}
begin() { # NAME: starts its daemon; process id in PID_NAME
	"$BIN/sealroomd" --conf "$R/$1.conf" >>"$R/$1.log" 2>&1 </dev/null &
	declare -g "PID_$1=$!"
	PIDS+=("$!")
}
end() { # NAME [SIGNAL]
	local pid=PID_$1
	kill "-${2:-TERM}" "${!pid}" 2>/dev/null
	wait "${!pid}" 2>/dev/null
}
sealed_by() { "$TOOLS/logread" "$R/$1/archive" 2>/dev/null | sed -n 's/^source .*sha256:\([0-9a-f]*\).*/\1/p'; }
all_said() { NOTE_LINES=40 note "$(tail -n 20 "$R"/*.log)"; }
scan() { "$TOOLS/small-scan" "$1" "$W/scan.tif" && drop "$W/scan.tif" "$2" && sha "$W/scan.tif"; }

# --- one alone ---------------------------------------------------------------------------
settings anna '' ''
settings bert '' ''
begin anna
wait_for 60 test -e "$R/in/.sealroom-agent"
ok $? "the first marks the folder" || all_said
one=$(scan "ONE" one.tif)
timeout 60 "$BIN/sealroomd" --conf "$R/bert.conf" --once --wait 1 >>"$R/bert.log" 2>&1
is $? 75 "the second has nothing that it could do" || all_said
like "$(cat "$R/bert.log")" "folder post: .*: sealroomd on host $(hostname) works with it since .*, pid $PID_anna; stop that one, and remove .sealroom-agent if it is gone for good" \
    "and says who has the folder, and what to do"
begin bert
wait_for 60 test -S "$R/bert/control"
wait_for 30 sh -c "'$BIN/sealroom' --conf '$R/bert.conf' status | grep -q \"ANOTHER AGENT'S\""
ok $? "its status says so, too" || note "$("$BIN/sealroom" --conf "$R/bert.conf" status)"
wait_for 60 test -s "$R/in/$DONE/one.pdf"
ok $? "the first seals" || all_said
end anna KILL
[ -e "$R/in/.sealroom-agent" ]
ok $? "killed, it leaves its marker"
two=$(scan "TWO" two.tif)
wait_for 60 test -s "$R/in/$DONE/two.pdf"
ok $? "which holds nobody up on the same host: the second takes over" || all_said
end bert
is "$(sealed_by anna) $(sealed_by bert)" "$one $two" "each was sealed once"

# As another host would leave it: never out of date by itself.
cat >"$R/in/.sealroom-agent" <<'J'
{ "v": 1, "shared": false, "agent": "01bx5zzkbkactav9wevgemmvrz", "host": "elsewhere", "boot": "x", "pid": 7, "since": "2020-01-01T00:00:00Z" }
J
three=$(scan "THREE" three.tif)
timeout 60 "$BIN/sealroomd" --conf "$R/anna.conf" --once --wait 1 >>"$R/anna.log" 2>&1
is "$? $(ls "$R/in/three.tif")" "75 $R/in/three.tif" "a marker of another host is believed, however old"
rm "$R/in/.sealroom-agent"
timeout 60 "$BIN/sealroomd" --conf "$R/anna.conf" --once >>"$R/anna.log" 2>&1
is "$? $(sealed_by anna | grep -c "$three")" "0 1" "until a person removes it" || all_said

# --- shared --------------------------------------------------------------------------------
settings a 'claim = "rename";' 'host = "a"; max_jobs = 3;'
settings b 'claim = "rename";' 'host = "b"; max_jobs = 3;'
settings c 'claim = "rename";' 'host = "a";'
begin a
begin b
wait_for 60 test -e "$R/in/$WORK/a/.sealroom-agent" -a -e "$R/in/$WORK/b/.sealroom-agent"
ok $? "two hosts share the folder" || all_said
timeout 60 "$BIN/sealroomd" --conf "$R/anna.conf" --once --wait 1 >>"$R/anna.log" 2>&1
is $? 75 "one that wants to be alone is refused"
timeout 60 "$BIN/sealroomd" --conf "$R/c.conf" --once --wait 1 >>"$R/c.log" 2>&1
is $? 75 "and so is another one of the same name"
# Drawn before, and dropped at once: a is to be killed while it still has some.
sums=()
for i in $(seq 16); do "$TOOLS/small-scan" "NR $i" "$W/nr$i.tif" && sums+=("$(sha "$W/nr$i.tif")"); done
for i in $(seq 16); do drop "$W/nr$i.tif"; done
taken_by_a() { [ -n "$(find "$R/in/$WORK/a" -name '*.tif')" ]; }
wait_for 60 taken_by_a
ok $? "a takes some" || all_said
end a KILL
left=$(find "$R/in/$WORK/a" -name '*.tif' | wc -l)
others_done() { [ -z "$(find "$R/in" -maxdepth 1 -name '*.tif')" ] && [ -z "$(find "$R/in/$WORK/b" -name '*.tif')" ]; }
wait_for 120 others_done
ok $? "a is killed; b does all that a had not taken" || { all_said; note "$(ls -R "$R/in")"; }
is "$(find "$R/in/$WORK/a" -name '*.tif' | wc -l)" "$left" "and leaves alone what a had"
# Taken by its name, and killed before the job was safe.
sums+=("$(scan "HALF" half.tif)")
mv "$R/in/half.tif" "$R/in/$WORK/a/half.tif" 2>/dev/null || note "b was faster"
begin a
# What came back is looked for, too: while a puts the half claim back, neither place may show it.
all_done() {
	[ "$(find "$R/in/$DONE" -name 'nr*.pdf' -o -name half.pdf | wc -l)" = 17 ] &&
		others_done && [ -z "$(find "$R/in/$WORK/a" -name '*.tif')" ]
}
wait_for 120 all_done
ok $? "a starts again and does what was its own" || { all_said; note "$(ls -R "$R/in")"; }
end a
end b
{ sealed_by a; sealed_by b; } | sort >"$W/sealed"
printf '%s\n' "${sums[@]}" | sort >"$W/wanted"
is "$(diff "$W/wanted" "$W/sealed")" "" "every document was sealed exactly once: $(sealed_by a | wc -l) by a, $(sealed_by b | wc -l) by b"
is "$(find "$R/in/$DONE" -name 'nr*.pdf' | wc -l)" 16 "and given back once"
is "$(find "$R/in" -name '.sealroom-agent')" "" "no marker is left"
finish
