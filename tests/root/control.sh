#!/bin/bash
# limit: 120
# The control socket, asked by others than the daemon's own user: who may look, who may
# change things, and who may not ask at all.  Every request of sealroom-control(7), with what
# the page says of it.  Only root can be all of them.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP wants to be root"; exit 0; }
TMPDIR=/tmp
PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util setpriv
need_program sealroomd sealroom
chmod 755 "$W"
# Users and groups that every Debian has; the daemon's needs no name.
LOOKS=lp OPERATES=news BYGROUP=uucp STRANGER=games PEOPLE=mail OPERATORS=operator DAEMON=20003
as() { # USER GROUP COMMAND...
	local user=$1 group=$2
	shift 2
	setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs "$@"
}
as $DAEMON $PEOPLE test -x "$BIN/sealroomd" || skip_all "no way to the programs for another user"
room_new
LEVEL=B-B
RULES='all : { when = "always"; hold = { en = "A person looks at it."; }; };'
EXTRA="operators = [ \"$OPERATES\", \"@$OPERATORS\" ];"
room_settings
"$TOOLS/small-scan" "A LETTER" "$W/letter.tif" || bail "a scan can be made"
# The settings are root's, as in an installation; the rest is the daemon's.
mkdir "$R/run" && sed -i "s#$R/control#$R/run/control#" "$R/sealroom.conf"
chown -R $DAEMON:$PEOPLE "$R/run" "$R/in" "$R/archive" "$R/state" "$R/anchor" "$R/pki"
chmod 755 "$R" && chmod 644 "$R/sealroom.conf" "$W/letter.tif"
setpriv --reuid $DAEMON --regid $PEOPLE --clear-groups "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
ROOM_PID=$!
PIDS+=("$ROOM_PID")
running() { cmd status --json >"$W/status" 2>&1 && grep -q "\"state\": \"running\"" "$W/status"; }
wait_for 60 running || bail "the daemon runs: $(tail -n 5 "$LOG" "$W/status")"
is "$(stat -c '%a %G' "$R/run/control")" "660 $PEOPLE" "the socket is its group's"

# What the manual page says: request, operates or looks, descriptor or none.
sed -n 's/^\.It Li {"op":"\([a-z-]*\)"[^}]*}\(.*\)$/\1 \2/p' "$TOP/agent/sealroom-control.7" |
    awk '{ print $1, /operates/ ? "operates" : "looks", /descriptor/ ? "fd" : "-" }' >"$W/requests"
is "$(cut -d' ' -f1 "$W/requests" | sort | tr '\n' ' ')" \
    "$(sed -n '/^const struct control_op status_ops/,/^};/s/.*{ "\([a-z-]*\)".*/\1/p' "$TOP/agent/status.c" | sort | tr '\n' ' ')" \
    "the manual page has every request"
is "$(wc -l <"$W/requests") $(grep -c operates "$W/requests")" "15 10" "ten of them change something"

# Each request once: REQUEST ERROR-WORD, or REQUEST and the keys of the answer; then the text.
cat >"$W/ask.py" <<'PY'
import grp, json, os, pwd, socket, sys
where, letter, requests, user, group, *more = sys.argv[1:]
os.setgroups([grp.getgrnam(g).gr_gid for g in more])
os.setgid(grp.getgrnam(group).gr_gid)
os.setuid(pwd.getpwnam(user).pw_uid)
args = {"job": "01234567", "folder": "nowhere", "name": "x.tif", "again": True, "token": "none", "reason": "asked"}
for line in open(requests):
    op, _, fd = line.split()
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(where)
    more = {"retry": {"job": "all"}, "pause": {"reason": "asked"}, "resume": {}, "jobs": {}}.get(op, args)
    text = json.dumps({"op": op, **more}).encode() + b"\n"
    fds = [os.open(letter, os.O_RDONLY)] if fd == "fd" else []
    try:
        socket.send_fds(s, [text], fds)
        got = s.makefile().readline()
    except (BrokenPipeError, ConnectionResetError):
        got = ""
    a = json.loads(got) if got else {"error": "hung-up", "text": ""}
    print(op, a["error"] + ": " + a["text"] if "error" in a else ",".join(sorted(a)))
PY
ask() { python3 "$W/ask.py" "$R/run/control" "$W/letter.tif" "$W/requests" "$@"; } # USER GROUP [GROUP...]
pauses() { cmd status --json | python3 -c 'import json, sys; print([p["uid"] for p in json.load(sys.stdin)["pauses"]])'; }
DENIED="not-allowed: user $(id -u $LOOKS) may look, but not do this; see operators in sealroom.conf(5)"

ask $LOOKS $PEOPLE >"$W/looks" 2>&1
is "$(grep -c . "$W/looks")" 15 "who may look gets an answer to everything" || note "$(cat "$W/looks")"
while read -r op kind _; do
	said=$(sed -n "s/^$op //p" "$W/looks")
	if [ "$kind" = operates ]; then
		is "$said" "$DENIED" "$op is not for who may only look"
	else
		[ -n "$said" ] && ! grep -q not-allowed <<<"$said"
		ok $? "$op is for who may look: $said"
	fi
done <"$W/requests"
is "$(pauses)" "[]" "and nothing has changed"
as $LOOKS $PEOPLE "$BIN/sealroom" --conf "$R/sealroom.conf" try "$W/letter.tif" --folder post --daemon >"$W/out" 2>"$W/err"
is "$? $(grep -c held-by-rule "$W/out")" "65 1" "who may only look may try a document" || note "$(cat "$W/out" "$W/err")"

ask $OPERATES $PEOPLE >"$W/operates" 2>&1
ask $BYGROUP $PEOPLE $OPERATORS >"$W/bygroup" 2>&1
cat >"$W/want" <<-WANT
	status
	jobs
	job usage
	events
	submit usage
	try usage
	release usage
	retry
	pause
	resume
	withdraw usage
	void usage
	evidence-renew usage
	token-login usage
	token-cleared usage
WANT
words() { sed -E 's/^([a-z-]+) ([a-z-]+): .*/\1 \2/; t; s/ .*//' "$1"; }
is "$(words "$W/operates")" "$(cat "$W/want")" "an operator is let to do everything" || note "$(cat "$W/operates")"
is "$(words "$W/bygroup")" "$(cat "$W/want")" "and who is one by a group" || note "$(cat "$W/bygroup")"
as $OPERATES $PEOPLE "$BIN/sealroom" --conf "$R/sealroom.conf" pause >"$W/out" 2>&1
is "$(pauses)" "[$(id -u $OPERATES)]" "what an operator does is done, and has the name of who did it" || note "$(cat "$W/out")"

# Its mode keeps strangers out; and where somebody opens that, the daemon does.
ask $STRANGER $STRANGER $OPERATORS >"$W/stranger" 2>&1
like "$(tail -n 1 "$W/stranger")" 'PermissionError' "a stranger does not reach the socket"
chmod 666 "$R/run/control"
ask $STRANGER $STRANGER $OPERATORS >"$W/stranger" 2>&1
is "$(cut -d' ' -f2- "$W/stranger" | sort -u) $(grep -c . "$W/stranger")" "hung-up:  15" \
    "nor is one answered who does, be it an operator" || note "$(cat "$W/stranger")"
like "$(cat "$LOG")" "control: user $(id -u $STRANGER) may not ask" "the log says who may not ask"
as $STRANGER $STRANGER "$BIN/sealroom" --conf "$R/sealroom.conf" resume >"$W/out" 2>&1
ok $((! $?)) "by command neither: $(cat "$W/out")"
is "$(pauses)" "[$(id -u $OPERATES)]" "nothing has changed"
is "$(grep -c "user $(id -u $LOOKS) may not ask" "$LOG")" 0 "nobody else was turned away"
room_stop
is $? 0 "the daemon ends when told to"
finish
