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
#	oom|starve STACK-N PROGRAM      the N-th allocation of this stack fails; it and all that
#	                                follow: see oom.c
#	cut K VARIANT                   the power fails behind call K: see powercut
#
# NAME names the copy.  "missed" in $W/NAME.missed: the call did not come.
# STACK=2 before: not a letter, but a stack of two of one page each, a separator sheet between them.
LETTER=letter.tif
SIGNATURES=1 # that this job takes
if [ -n "${STACK-}" ]; then
	LETTER=stack.tif SIGNATURES=$STACK
	export STACK_PARTS=$STACK
fi
sender_letter() {
	local pages=("text:SEALROOM TEST PAGE 1") i
	[ -n "${STACK-}" ] || { "$TOOLS/small-scan" "SEALROOM TEST PAGE 1234" "$1"; return; }
	for ((i = 2; i <= STACK; i++)); do pages+=(patch "text:SEALROOM TEST PAGE $i"); done
	"$TOOLS/stack-scan" --small "$1" "${pages[@]}"
}
room_template() {
	room_new
	SETTLE=50ms
	SCAN_LANGUAGES='"eng"'
	SCAN_EXTRA='workers = 1;'
	RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
	FOLDER_EXTRA='give = { keep = "30d"; };'
	[ -z "${STACK-}" ] || FOLDER_EXTRA+=' separator = { patch = [ "T" ]; };'
	[ -n "${SEALROOM_ASAN-}" ] || p11fault_settings
	room_settings
	tsa_start
	ONCE_MAX=90
	mkdir "$W/sender"
	sender_letter "$W/sender/$LETTER"
	room_once
	is $? 0 "an empty room comes to rest" || daemon_said
	cp "$W/sender/$LETTER" "$R/in/"
	# what must stay as it is: another name of the letter, and what a link points to
	mkdir "$R/outside" && ln "$R/in/$LETTER" "$R/outside/hard" && echo target >"$R/outside/target"
	ln -s ../outside/target "$R/in/link.tif"
	(cd "$R/outside" && sha256sum hard target) >"$R/outside.sums"
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
	room_once --wait "${FAULT_WAIT:-5}"
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
	rm -rf "$W/count"
	copy t count && at "$W/count" && roots
	traced "${ROOTS[@]}" -l "$W/calls" -d "$W/data"
	is $? 0 "the job passes under the tracer" || daemon_said
	ask_about
	total=$(hit calls)
	note "durable calls of one job: $total"
	"$TOP/tests/fault/check" "$R" "$W/sender" "" >"$W/check"
	is $? 0 "the invariants hold undisturbed" || note "$(cat "$W/check")"
	[ "${total:-0}" -gt 60 ] || bail "the tracer sees the job's calls"
	if [ -s "$W/t/p11.log" ]; then
		own_signatures=$(awk '/^C_Sign 0x0$/ { n++ } END { print n + 0 }' "$W/t/p11.log")
		: >"$W/t/p11.log"
	fi
	if [ -s "$R/p11.log" ]; then
		is "$(R=$W/count job_signatures)" "$SIGNATURES" "one job, $SIGNATURES signatures"
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
	truncate -s 1M "$R/oom"
	[ "$1" = only ] || shim+=(SEALROOM_OOM_FROM=1)
	if [ "$3" = sealroomd ]; then
		TRACE=("${shim[@]}")
		{ room_once --wait "${FAULT_WAIT:-5}"; } 2>>"$LOG" # the shell says so when it aborts
	else
		mkdir -p "$R/libexec"
		ln -s "$BIN"/sealroom* "$R/libexec/"
		rm "$R/libexec/$3"
		printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${shim[*]}" "$BIN/$3" >"$R/libexec/$3"
		chmod +x "$R/libexec/$3"
		SEALROOM_LIBEXEC=$R/libexec room_once --wait "${FAULT_WAIT:-5}"
	fi
	local rc=$?
	TRACE=()
	[ "$(od -An -t u8 -j 8 -N 8 "$R/oom")" = 0 ] || echo "hit 1" >"$R/result"
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
# What a person is told of a room, where a name can be seen in it.
ask_about() {
	[ "$LETTER" != letter.tif ] || return
	cmd status >"$R/said.status" 2>&1
	cmd --json status >"$R/said.status.json" 2>/dev/null
	cmd jobs >"$R/said.jobs" 2>&1
	cmd evidence list >"$R/said.list" 2>&1
}
# What must hold behind a fault, after a restart.
after_fault() {
	local rc
	mkdir "$R/before" && cp -a "$R/archive/evidence" "$R/before/" 2>/dev/null
	# SoftHSM's own files are torn when it dies writing them; no token is
	rm -rf "$R/pki/softhsm/tokens" && cp -a "$W/t/pki/softhsm/tokens" "$R/pki/softhsm/"
	# death in the middle of a login: nobody knows its outcome, so a person must say go on
	[ ! -s "$R/state/tokens/soft" ] || cmd token clear soft >/dev/null 2>&1
	room_once --wait "${RESTART_WAIT:-30}"
	rc=$?
	[ $rc = 0 ] || echo "I8 the restart ended with status $rc"
	ask_about
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
	local name=$1 kind=$2 rc lot starts
	shift
	lot=${2%%-*} # a number, or that of a stack
	[ "$lot" = "$2" ] || lot=16#${lot:0:4}
	SIGNED=0
	copy t "$name" && at "$W/$name"
	rm -f "$W/$name.missed"
	starts=$(grep -c '(build ' "$LOG")
	fault "$@"
	rc=$?
	[ $rc != 124 ] || echo "I8 the run did not come to an end in $ONCE_MAX s"
	[ $rc = 124 ] || [ "$(hit hit)" = 1 ] || echo missed >"$W/$name.missed"
	case $kind in
	before | after | cut) ;;
	oom | starve) # abort() is an answer to no memory; so is, before anything has begun, libcrypto 3.0's own death
		[ $rc -lt 125 ] || [ $rc = 134 ] || { [ $rc = 139 ] && [ "$(grep -c '(build ' "$LOG")" = "$starts" ]; } ||
			echo "I8 ended with status $rc"
		;;
	*) [ $rc -lt 125 ] || echo "I8 ended with status $rc" ;;
	esac
	after_fault
	[ $((lot % 7)) != 0 ] || started_again
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
together_n=${TOGETHER:-$(($(nproc) * 2))}
[ "$together_n" -le 16 ] || together_n=16
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
# The calls for descriptors, memory and processes that a program does for one job; of those
# that open files of the same shape the first and the last.
open_list() { # program
	copy t count.x && at "$W/count.x"
	traced -x -c "$1" -l "$R/calls" >/dev/null
	awk -F'\t' -v p="$1" '
	    NR == FNR { last[$4 FS $8] = $9; next }
	    $4 ~ /^open/ && $9 > 1 && $9 != last[$4 FS $8] { next }
	    { e = $4 ~ /^(mmap|mremap|v?fork|clone3?|epoll_ctl|inotify_add_watch)$/ ? "ENOMEM" : "EMFILE"
	      print "open-" e "-" p "-" $1 " open " $1 " " e " " p }' "$R/calls" "$R/calls"
	rm -rf "$W/count.x"
}
# The stacks that a program's allocations for one job have: lines "STACK N".
stacks_of() { # program
	copy t count.o && at "$W/count.o"
	fault oom 0-0 "$1" >/dev/null
	od -An -v -t x8 -t u8 -w16 "$R/oom" | awk -v program="$1" -v folded="$W/folded" '
	    NR <= 2 { all = $1; next } NR % 2 { stack = $1; next } $1 != "0" { n++; print stack, $2 }
	    END { printf "%s: %d allocations of %d stacks\n", program, all, n >>folded }'
	rm -rf "$W/count.o"
}
# Of each stack the first allocation, and of the core the last one too.  From the first on
# all: of the core each stack, of the others, which end at once then, every fourth.  Of the
# reader none: one that starves whenever it reads a document is what a bomb looks like under
# the limit on its memory, and that document is refused.
memory_list() { # program
	stacks_of "$1" | awk -v p="$1" -v core="$([ "$1" = sealroomd ] && echo 1)" '
	    { print "oom-" p "-" $1 "-first oom " $1 "-1 " p }
	    core || (p != "sealroom-scan" && $1 ~ /[048c]$/) { print "starve-" p "-" $1 " starve " $1 "-1 " p }
	    core && $2 > 1 { print "oom-" p "-" $1 "-last oom " $1 "-" $2 " " p }'
}
# Lines "NAME KIND ARGUMENT..." for together().
whole_list() {
	local program e
	: >"$W/folded"
	awk -F'\t' '$5 >= 0 { print $1 }' "$W/calls" >"$W/k.all"
	awk -F'\t' '$5 >= 0 && $4 ~ /^p?write/ { print $1 }' "$W/calls" >"$W/k.writes"
	awk -F'\t' '$4 !~ /^(f?sync|fdatasync|syncfs|f?chmod.*|fchown|f?truncate|unlink.*|rmdir)$/ { print $1 }' "$W/calls" >"$W/k.full"
	sed 's/.*/before-& before &\nafter-& after &/' "$W/k.all"
	sed 's/.*/short-& short &/' "$W/k.writes"
	for e in EIO ENOMEM; do sed "s/.*/error-$e-& error & $e/" "$W/k.all"; done
	sed "s/.*/error-ENOSPC-& error & ENOSPC/" "$W/k.full"
	awk '{ e = NR % 2 ? "EDQUOT" : "EROFS"; print "error-" e "-" $1 " error " $1 " " e }' "$W/k.full"
	sed "s/.*/from-ENOSPC-& from & ENOSPC/" "$W/k.full"
	sed "s/.*/from-EIO-& from & EIO/" "$W/k.all"
	for program in sealroomd sealroom-seal sealroom-scan sealroom-verify sealroom-fetch; do
		open_list $program
		memory_list $program
	done
	"$TOP/tests/fault/powercut" "$W/calls" "$W/data" "$W/count" "$W/t" --list lost names zeros torn mixed-1 mixed-2 mixed-3 |
		sed -E 's/^(.*) (.*)$/cut-\1-\2 cut \1 \2/'
}
