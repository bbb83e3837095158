#!/bin/bash
# limit: 240
# A folder that a Samba server of this host shares, with the stanza of the manual page.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need python3 softhsm2-util smbd smbclient mandoc
need_program sealroomd
room_new
LEVEL=B-B
SETTLE=1s
INCOMPLETE=120s
RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; };'
room_settings
mkdir -p "$W/smb/private" "$W/smb/run"
chmod 2770 "$R/in"

# The stanza as people read it.  A server without privileges serves guests, as its own user.
mandoc -T ascii "$TOP/agent/sealroomd.8" | col -bx | sed -n '/^ *\[post\]$/,/^$/p' >"$W/stanza"
like "$(tr '\n' ' ' <"$W/stanza")" 'path = /srv/scan/post .*oplocks = no' "the manual page has a stanza for smb.conf"
sed -e "s#/srv/scan/post#$R/in#" -e '/^ *valid users =/s/=.*/= nobody '"$(id -un)"'/' -e "/^ *force group =/s/=.*/= $(id -gn)/" "$W/stanza" >"$W/share"
port=$(free_port)
{
	cat <<-CONF
	[global]
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
	guest account = $(id -un)
	load printers = no
	printing = bsd
	printcap name = /dev/null
	disable spoolss = yes
	CONF
	cat "$W/share"
	echo "    guest ok = yes"
} >"$W/smb.conf"
testparm -s "$W/smb.conf" >"$W/testparm" 2>&1 && ! grep -qiE 'unknown|ignoring|invalid|found in service' "$W/testparm"
ok $? "which the server understands" || note "$(cat "$W/testparm")"
smbd -F -s "$W/smb.conf" >"$W/smbd.out" 2>&1 </dev/null &
smbd=$!
PIDS+=("$smbd")
share() { smbclient -s "$W/smb.conf" -N -p "$port" -m SMB3 //127.0.0.1/post -c "$1" 2>&1; }
served() { share ls | grep -q 'blocks available'; }
if ! wait_for 20 served; then
	skip "a Samba server" "smbd does not serve this user: $(share ls | tail -n 1)"
	[ -n "${CI-}" ] && note "$(cat "$W/smbd.out" "$W/smb/log" 2>/dev/null)"
	finish
fi
room_start
wait_for 30 test -e "$R/in/.sealroom-agent"
for i in 1 2 3; do "$TOOLS/small-scan" "SHARE $i" "$W/s$i.tif"; done

# Put as a program does, under another name and renamed, and held open for long after the last byte.
share "lcd $W; put s1.tif one.tif; put s2.tif two.tif.part; rename two.tif.part two.tif" >"$W/put"
is $? 0 "files are put through the share" || note "$(cat "$W/put")"
{ cat "$W/s3.tif"; sleep 6; touch "$W/closing"; } | share 'put - late.tif' >"$W/late" &
late=$!
wait_for 20 test -s "$R/in/late.tif"
ok $? "a third one is there and not closed" || note "$(cat "$W/late")"
back() { share "ls $DONE/*" | grep -q "  $1 "; }
wait_for 60 back one.pdf
ok $? "the first comes back" || daemon_said
wait_for 60 back two.pdf
ok $? "the one that was renamed too" || daemon_said
[ -e "$W/closing" ] || [ -e "$R/in/late.tif" ]
ok $? "what the server still has open is not taken, though all of it is there"
wait "$late"
wait_for 60 back late.pdf
ok $? "and is when it was closed" || daemon_said
"$TOOLS/logread" "$R/archive" >"$W/log"
for i in 1 2 3; do
	is "$(grep -c "^source .*sha256:$(sha "$W/s$i.tif")" "$W/log")" 1 "document $i: whole, and once"
done
is "$(share "ls" | grep -c 'late.tif\|one.tif\|two.tif')" 0 "none of them is left"

# What people do with a result.
is "$(stat -c '%a %G' "$R/in/$DONE/one.pdf")" "660 $(stat -c %G "$R/in")" "a result is its folder's group's, to read and to write"
like "$(stat -c %a "$R/in/$DONE")" '^277.$' "who may also delete in it"
share "lcd $W; cd $DONE; get one.pdf got.pdf; rename one.pdf seen.pdf; del seen.pdf" >"$W/get"
is "$? $(sha "$W/got.pdf")" "0 $(grep -h '^sealed ' "$W/log" | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2 | grep -x "$(sha "$W/got.pdf")")" \
    "a result is opened through the share" || note "$(cat "$W/get")"
[ ! -e "$R/in/$DONE/one.pdf" ] && [ ! -e "$R/in/$DONE/seen.pdf" ]
ok $? "renamed, and deleted"
printf 'no document' >"$W/text.tif"
share "lcd $W; put text.tif" >"$W/put"
refused() { share "cd $ERROR; get text.tif.txt $W/note" >/dev/null && grep -q 'text.tif' "$W/note"; }
wait_for 60 refused
ok $? "what can not be sealed comes back with its reason" || daemon_said
room_stop
is $? 0 "the daemon ends when told to"
finish
