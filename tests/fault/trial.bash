# shellcheck shell=bash disable=SC2034
# trial.bash - one fault in one copy of a room, and what must hold behind it.
#
# Sourced behind tests/lib.sh.  room_template makes $W/t, a room at rest with one letter
# in its hot folder; the sender keeps a copy in $W/sender.  undisturbed runs it once under
# the tracer: $W/calls has its calls, $W/data what they wrote.  Then, as often as wanted
# and several at once,
#
#	trial NAME KIND ARGUMENT...     prints nothing, or what is wrong
#
#	before|after|short K            at call K of the undisturbed run
#	error|from K ERRNO              that call fails; it and all that follow
#	open N ERRNO PROGRAM            the N-th call of a program that wants a descriptor or memory
#	oom|starve N PROGRAM            its N-th allocation fails; it and all that follow
#	cut K VARIANT                   the power fails behind call K: see powercut
#
# NAME names the copy.  "missed" in $W/NAME.missed: the call did not come.
room_template() {
	room_new
	SETTLE=50ms
	SCAN_LANGUAGES='"eng"'
	SCAN_EXTRA='workers = 1;'
	RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
	[ -n "${SEALROOM_ASAN-}" ] || p11fault_settings
	room_settings
	tsa_start
	ONCE_MAX=90
	mkdir "$W/sender"
	"$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$W/sender/letter.tif"
	room_once
	is $? 0 "an empty room comes to rest" || daemon_said
	cp "$W/sender/letter.tif" "$R/in/"
	cp -a "$R" "$W/t" # the authority goes on living in the first room
}

# at ROOM: settings, token and environment for that copy of the room.
at() {
	R=$1
	LOG=$R/daemon.log
	sed -i "s#$W/[a-z0-9.-]*/#$R/#g" "$R/sealroom.conf" "$R/pki/env" "$R/pki/token" "$R/pki/softhsm/softhsm2.conf"
	export SOFTHSM2_CONF=$R/pki/softhsm/softhsm2.conf
	[ -n "${SEALROOM_ASAN-}" ] || export P11FAULT_CTL=$R/pki/softhsm/p11.ctl P11FAULT_LOG=$R/p11.log
}
copy() { cp -a --reflink=auto "$W/$1" "$W/$2"; }
traced() { # tracer's options...
	TRACE=("$BIN/tests/tracer" -o "$R/result" "$@" --)
	room_once --wait 5
	local rc=$?
	TRACE=()
	return $rc
}
roots() { ROOTS=(-r "$R/in" -r "$R/state" -r "$R/archive" -r "$R/anchor"); }
hit() { sed -n "s/^$1 //p" "$R/result" 2>/dev/null; }

# Each start of the token's process signs to prove itself; what comes beyond that is
# for jobs.  Starts are told apart by their login.
signatures() {
	awk -v own="$1" '/^C_Login 0x0$/ { if (n > own) sum += n - own; n = 0 } /^C_Sign 0x0$/ { n++ } END { print sum + (n > own ? n - own : 0) }' \
	    "$R/p11.log"
}
job_signatures() { [ ! -s "$R/p11.log" ] || echo $(($(signatures "$own_signatures") + ${SIGNED:-0})); }

# The calls of an undisturbed run, and that all holds there.
undisturbed() {
	copy t count && at "$W/count" && roots
	traced "${ROOTS[@]}" -l "$W/calls" -d "$W/data"
	is $? 0 "the job passes under the tracer" || daemon_said
	total=$(hit calls)
	note "durable calls of one job: $total"
	"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check"
	is $? 0 "the invariants hold undisturbed" || note "$(cat "$W/check")"
	[ "${total:-0}" -gt 60 ] || bail "the tracer sees the job's calls"
	if [ -s "$R/p11.log" ]; then
		own_signatures=$(awk '/^C_Sign 0x0$/ { n++ } END { print n + 0 }' "$W/t/p11.log")
		: >"$W/t/p11.log"
		is "$(R=$W/count job_signatures)" 1 "one job, one signature"
	fi
}

# --- faults: each leaves the room as the fault did --------------------------------------------
# Call K of the undisturbed run is found again by what it is.
at_call() { # k tracer's options...
	local k=$1 call shape nth
	shift
	IFS=$'\t' read -r call shape nth < <(awk -F'\t' -v k="$k" '$1 == k { sub(/:.*/, "", $4); print $4 FS $8 FS $9 }' "$W/calls")
	roots
	traced "${ROOTS[@]}" -a "$call" -s "$shape" -k "$nth" "$@"
}
# With the programs' memory counted: the core is started so, another by a script beside the others.
short_of_memory() { # from|only n program
	local shim=(env "LD_PRELOAD=$BIN/tests/oom.so" "SEALROOM_OOM=$2" "SEALROOM_OOM_FILE=$R/oom")
	truncate -s 16 "$R/oom"
	[ "$1" = only ] || shim+=(SEALROOM_OOM_FROM=1)
	if [ "$3" = sealroomd ]; then
		TRACE=("${shim[@]}")
		{ room_once --wait 5; } 2>>"$LOG" # the shell says so when it aborts
	else
		mkdir -p "$R/libexec"
		ln -s "$BIN"/sealroom* "$R/libexec/"
		rm "$R/libexec/$3"
		printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${shim[*]}" "$BIN/$3" >"$R/libexec/$3"
		chmod +x "$R/libexec/$3"
		SEALROOM_LIBEXEC=$R/libexec room_once --wait 5
	fi
	local rc=$?
	TRACE=()
	# it counts; has it come so far?
	[ "$(od -An -t u8 -N 8 "$R/oom")" -ge "$2" ] && echo "hit 1" >"$R/result"
	return $rc
}
fault() { # kind argument...
	case $1 in
	before | after | short) at_call "$2" -m "$1" ;;
	error) at_call "$2" -m error -e "$3" ;;
	from) at_call "$2" -m error -e "$3" -n 0 ;;
	open) traced -x -c "$4" -m error -k "$2" -e "$3" ;;
	oom) short_of_memory only "$2" "$3" ;;
	starve) short_of_memory from "$2" "$3" ;;
	cut)
		SIGNED=$("$TOP/tests/fault/powercut" "$W/calls" "$W/data" "$W/count" "$W/t" "$R" "$2" "$3") || echo "powercut: no such place"
		echo "hit 1" >"$R/result"
		;;
	*) echo "no such fault: $1" ;;
	esac
}

# --- one trial ----------------------------------------------------------------------------------
# What must hold behind a fault, after a restart.
after_fault() {
	local rc
	"$TOOLS/logread" "$R/archive" >"$R/before" 2>/dev/null || : >"$R/before"
	# SoftHSM's own files are torn when it dies writing them; no token is
	rm -rf "$R/pki/softhsm/tokens" && cp -a "$W/t/pki/softhsm/tokens" "$R/pki/softhsm/"
	# death in the middle of a login: nobody knows its outcome, so a person must say go on
	[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
	room_once --wait "${RESTART_WAIT:-30}"
	rc=$?
	[ $rc = 0 ] || echo "I8 the restart ended with status $rc"
	SIGN_CALLS=$(job_signatures) "$TOP/tests/fault/check" "$R" "$W/sender" "$R/before" 2>&1
	cmd audit "$R/archive" >"$R/audit" 2>&1 || { echo "I12 audit: $?"; tail -n 3 "$R/audit"; }
}
# Everything but what start and stop entries change.
tree() {
	(cd "$R" && find in state archive -type f ! -path '*/evidence/*' ! -path '*/events/*' ! -path '*/tsa/*' -exec sha256sum {} + | sort -k 2)
}
started_again() {
	tree >"$R.tree"
	room_once
	tree | diff "$R.tree" - >"$R.diff" || { echo "I15 a second start changed files"; head -n 5 "$R.diff"; }
	rm -f "$R.tree" "$R.diff"
}
trial() { # name kind argument...
	local name=$1 kind=$2 rc
	shift
	SIGNED=0
	copy t "$name" && at "$W/$name"
	rm -f "$W/$name.missed"
	fault "$@"
	rc=$?
	[ $rc != 124 ] || echo "I8 the run did not come to an end in $ONCE_MAX s"
	[ $rc = 124 ] || [ "$(hit hit)" = 1 ] || echo missed >"$W/$name.missed"
	case $kind in
	before | after | cut) ;;
	oom | starve) [ $rc -lt 125 ] || [ $rc = 134 ] || echo "I8 ended with status $rc" ;; # abort() is an answer to no memory
	*) [ $rc -lt 125 ] || echo "I8 ended with status $rc" ;;
	esac
	after_fault
	[ $((${2:-0} % 7)) != 0 ] || started_again
}
# Into $W/out.NAME, with what the daemon said when something is wrong; the copy is gone then.
report() { # name kind argument...
	local out=$W/out.$1
	(trial "$@") >"$out" 2>&1
	if [ -s "$out" ]; then
		{ echo "fault: ${*:2}: $(sed -n 's/^call //p' "$W/$1/result" 2>/dev/null)"; tail -n 25 "$W/$1/daemon.log"; } >>"$out"
	fi
	[ -n "${KEEP-}" ] || rm -rf "${W:?}/$1"
}
# A trial mostly waits: for quiet, for the disk, for retries.
together_n=$(($(nproc) * 2))
[ $together_n -le 8 ] || together_n=8
# Lines "NAME KIND ARGUMENT...", so many at once.
together() {
	local line
	while read -r -a line; do
		while [ "$(jobs -rp | wc -l)" -gt "$1" ]; do wait -n; done # one of them is the TSA
		report "${line[@]}" &
	done
	for line in $(jobs -rp); do [ "${line[0]}" = "$TSA_PID" ] || wait "${line[0]}"; done
}

# --- all trials there are ------------------------------------------------------------------------
seeded() { openssl enc -aes-128-ctr -pass "pass:$1" -nosalt -md sha256 </dev/zero 2>/dev/null; }
# How many calls for descriptors and memory, and how many allocations, a program does for one job.
resources_of() { # program
	copy t count.x && at "$W/count.x"
	traced -x -c "$1" >/dev/null
	hit calls
	rm -rf "$W/count.x"
}
allocations_of() { # program
	copy t count.o && at "$W/count.o"
	fault oom 0 "$1" >/dev/null
	od -An -t u8 -N 8 "$R/oom"
	rm -rf "$W/count.o"
}
# Lines "NAME KIND ARGUMENT..." for together().
whole_list() {
	local program e
	awk -F'\t' '$5 >= 0 { print $1 }' "$W/calls" >"$W/k.all"
	awk -F'\t' '$5 >= 0 && $4 ~ /^p?write/ { print $1 }' "$W/calls" >"$W/k.writes"
	awk -F'\t' '$4 !~ /^(f?sync|fdatasync|syncfs|f?chmod.*|fchown|f?truncate|unlink.*|rmdir)$/ { print $1 }' "$W/calls" >"$W/k.full"
	sed 's/.*/before-& before &\nafter-& after &/' "$W/k.all"
	sed 's/.*/short-& short &/' "$W/k.writes"
	for e in EIO ENOMEM EDQUOT EROFS; do sed "s/.*/error-$e-& error & $e/" "$W/k.all"; done
	sed "s/.*/error-ENOSPC-& error & ENOSPC\nfrom-ENOSPC-& from & ENOSPC/" "$W/k.full"
	sed "s/.*/from-EIO-& from & EIO/" "$W/k.all"
	for program in sealroomd sealroom-seal sealroom-scan; do
		for e in EMFILE ENFILE ENOMEM; do
			seq "$(resources_of $program)" | sed "s/.*/open-$e-$program-& open & $e $program/"
		done
	done
	for program in sealroomd sealroom-seal; do
		seq "$(allocations_of $program)" | sed "s/.*/oom-$program-& oom & $program\nstarve-$program-& starve & $program/"
	done
	"$TOP/tests/fault/powercut" "$W/calls" "$W/data" "$W/count" "$W/t" --list lost names zeros torn mixed-1 mixed-2 mixed-3 |
		sed -E 's/^(.*) (.*)$/cut-\1-\2 cut \1 \2/'
}
