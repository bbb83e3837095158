#!/bin/bash
# limit: 180
# Several users on one folder, as in an office: who sends, who seals, who fetches; by
# themselves and through Samba.  Only root can be all of them.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP wants to be root"; exit 0; }
TMPDIR=/tmp
PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util setpriv smbd smbclient mandoc
need_program sealroomd
chmod 755 "$W"
# Users that every Debian has; the daemon's needs no name.
SENDER=lp READER=news PEOPLE=mail DAEMON=20003
as() { # USER COMMAND...
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$PEOPLE" --clear-groups --no-new-privs "$@"
}
as_daemon=(setpriv --reuid "$DAEMON" --regid "$PEOPLE" --clear-groups --inh-caps +lease --ambient-caps +lease --bounding-set "-all,+lease")
"${as_daemon[@]}" test -x "$BIN/sealroomd" 2>"$W/why" || skip_all "no CAP_LEASE here, or no way to the programs: $(cat "$W/why")"
room_new
RULES='all : { when = "always"; hold = { en = "A person looks at it."; }; };'
SETTLE=1s
room_settings
chown -R $DAEMON:$PEOPLE "$R"
chmod 755 "$R" && chmod 2770 "$R/in"
"${as_daemon[@]}" "$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
ROOM_PID=$!
PIDS+=("$ROOM_PID")
wait_for 60 test -e "$R/in/.sealroom-agent"
ok $? "the daemon serves a folder of its group" || daemon_said
"$TOOLS/small-scan" "OFFICE" "$W/scan.tif" && chmod 644 "$W/scan.tif"

# --- on this host ------------------------------------------------------------------------
# shellcheck disable=SC2016
as $SENDER bash -c 'umask 007; exec 3>"$2"; cat "$1" >&3; until [ -e "$3" ]; do sleep 0.2; done' - \
    "$W/scan.tif" "$R/in/open.tif" "$W/close" &
sender=$!
wait_for 20 test -s "$R/in/open.tif"
as $SENDER cp "$W/scan.tif" "$R/in/.closed.tif" && as $SENDER mv "$R/in/.closed.tif" "$R/in/closed.tif"
wait_for 60 test -s "$R/in/$HELD/closed.tif.txt"
ok $? "what another user sent is taken" || daemon_said
is "$(stat -c %U "$R/in/open.tif")" $SENDER "while another file, which was there before, is still open for writing"
touch "$W/close"
wait "$sender"
wait_for 60 test -s "$R/in/$HELD/open.tif.txt"
ok $? "and is taken when it is closed" || daemon_said
is "$(grep -c 'cannot be asked' "$LOG")" 0 "the daemon could ask: it has CAP_LEASE"
is "$(stat -c '%u %G %a' "$R/in/$HELD/open.tif")" "$DAEMON $PEOPLE 660" "what comes back is the daemon's and its folder's group's"
as $READER cmp "$W/scan.tif" "$R/in/$HELD/open.tif" && as $READER rm "$R/in/$HELD/open.tif" "$R/in/$HELD/open.tif.txt"
ok $? "a third user of that group opens and removes it"
! setpriv --reuid 20009 --regid 20009 --clear-groups cat "$R/in/$HELD/closed.tif" >"$W/out" 2>&1
ok $? "and nobody else"

# --- through Samba: the stanza of the manual page, once for each user ------------------------
mkdir -p "$W/smb/private" "$W/smb/run"
port=$(free_port)
{
	echo "[global]
	server role = standalone server
	netbios name = MAILROOM
	private dir = $W/smb/private
	pid directory = $W/smb/run
	lock directory = $W/smb/run
	state directory = $W/smb/run
	cache directory = $W/smb/run
	ncalrpc dir = $W/smb/run/ncalrpc
	log file = $W/smb/log
	interfaces = 127.0.0.1/8
	bind interfaces only = yes
	smb ports = $port
	disable netbios = yes
	map to guest = Bad User
	load printers = no
	printing = bsd
	printcap name = /dev/null
	disable spoolss = yes"
	for user in $SENDER $READER; do
		mandoc -T ascii "$TOP/agent/sealroomd.8" | col -bx | sed -n '/^ *\[post\]$/,/^$/p' |
		    sed -e "s#\[post\]#[$user]#; s#/srv/scan/post#$R/in#; /valid users/d; s#force group =.*#force group = $PEOPLE#"
		echo "    guest ok = yes"
		echo "    force user = $user"
	done
} >"$W/smb.conf"
smbd -F -s "$W/smb.conf" >"$W/smbd.out" 2>&1 </dev/null &
PIDS+=("$!")
share() { smbclient -s "$W/smb.conf" -N -p "$port" -m SMB3 "//127.0.0.1/$1" -c "$2" 2>&1; }
served() { share $READER ls | grep -q 'blocks available'; }
wait_for 20 served || bail "a Samba server starts: $(share $READER ls; cat "$W/smbd.out")"
{ cat "$W/scan.tif"; until [ -e "$W/close2" ]; do sleep 0.2; done; } | share $SENDER 'put - smb.tif' >"$W/put" &
sender=$!
wait_for 20 test -s "$R/in/smb.tif"
is "$(stat -c '%U %G' "$R/in/smb.tif")" "$SENDER $PEOPLE" "a file that a user puts is that user's"
share $SENDER "lcd $W; put scan.tif next.tif" >/dev/null
wait_for 60 test -s "$R/in/$HELD/next.tif.txt"
ok $? "the next one is taken" || daemon_said
[ -e "$R/in/smb.tif" ]
ok $? "while the first is not, which the server keeps open for its client"
touch "$W/close2"
wait "$sender"
wait_for 60 test -s "$R/in/$HELD/smb.tif.txt"
ok $? "until the client has closed it" || daemon_said
share $READER "lcd $W; cd $HELD; get smb.tif got.tif; del smb.tif; del smb.tif.txt" >"$W/get"
cmp "$W/scan.tif" "$W/got.tif" && [ ! -e "$R/in/$HELD/smb.tif" ] && [ ! -e "$R/in/$HELD/smb.tif.txt" ]
ok $? "another user opens what came back, and deletes it" || note "$(cat "$W/get")"
room_stop
is $? 0 "the daemon ends when told to"
finish
