# shellcheck shell=bash
# units.bash - units of systemd/ started by the commands they have; sourced behind lib.sh.
#
#	unit_start UNIT [INSTANCE]     with what a service manager does (tools/supervise)
#	unit_stop NAME                 how it ended is in $ENDED
#
# The same commands and system call filters; where the paths of an installation lie in
# $R is all that differs.  AS_core, AS_seal, AS_log, AS_fetch: what a unit's command is put
# behind (another user); empty: nothing.
UNITS=$TOP/systemd
command_of() { # UNIT INSTANCE
	sed -n 's/^ExecStart=//p' "$UNITS/$1" | sed -e "s#/usr/libexec/sealroom/#$BIN/#; s#/usr/sbin/#$BIN/#" \
	    -e "s#/etc/sealroom/sealroom.conf#$R/sealroom.conf#; s#/run/sealroom/#$R/run/#; s#%i#$2#"
}
behind() { # UNIT: prefix that puts a command behind its filter
	[ -n "${SEALROOM_ASAN-}" ] && return
	command -v systemd-analyze >/dev/null || return
	[ -s "$W/$1.calls" ] || "$TOOLS/unitcalls" "$UNITS/$1" >"$W/$1.calls"
	echo "$BIN/tests/unitfilter $W/$1.calls"
}
declare -A PID
unit_start() { # UNIT [INSTANCE]
	local name=${1%.service}${2-} cmd as
	case $1${2-} in sealroomd*) as=${AS_core-} ;; *@.servicelog) as=${AS_log-} ;; sealroom-seal*) as=${AS_seal-} ;; *) as=${AS_fetch-} ;; esac
	cmd="$as $(behind "$1") $(command_of "$1" "${2-}")"
	[ "$1" = sealroomd.service ] && cmd="$cmd --conf $R/sealroom.conf"
	# shellcheck disable=SC2086
	"$TOOLS/supervise" "$W/$name.log" $cmd >>"$W/$name.out" 2>&1 &
	PID[$name]=$!
	PIDS+=("${PID[$name]}")
}
unit_stop() { # NAME; how it ended is in $ENDED
	kill "${PID[$1]}"
	wait "${PID[$1]}"
	# shellcheck disable=SC2034
	ENDED=$(tail -n 1 "$W/$1.log")
}
main_pid() { sed -n 's/^start //p' "$W/$1.log" | tail -n 1; }
units_said() { note "$(for f in "$W"/sealroom*.out; do echo "== $f"; tail -n 8 "$f"; done)"; }
told() { grep -qE "$2" "$W/$1.log"; }
wrote() { grep -qE "$2" "$W/$1.out"; }
