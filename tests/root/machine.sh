#!/bin/bash
# limit: 240
# The README's way to production, step by step, under a service manager: installed, users and
# places made, checked, the units started by it with all that they are closed by; letters of two people, a
# token away, the core killed, other settings, the weekly audit, and the end.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP wants to be root"; exit 0; }
TMPDIR=/tmp
PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util pdfsig systemctl unshare
need_program sealroomd
[ -z "${SEALROOM_ASAN-}" ] || skip_all "a build with sanitizers does not start where memory is never to be executed"
chmod 755 "$W"
M=$W/machine
machine() { "$TOOLS/machine" "$1" "$M" "${@:2}"; }
in_it() { machine run "$@"; }
machine boot "$TOP" "$BIN" &
PIDS+=($!)
leave_machine() { machine halt 2>/dev/null; leave; }
trap leave_machine EXIT
wait_for 30 machine ready || skip_all "no service manager can be started here: $(tail -n 1 "$M/console")"

# --- installed, as the README has it ------------------------------------------------------------
room_new
tsa_start
in_it make -C "$TOP" O="$(realpath --relative-to="$TOP" "$BIN")" install >"$W/install" 2>&1
ok $? "it installs" || bail "$(tail -n 1 "$W/install")"
in_it systemd-sysusers >"$W/users" 2>&1 && in_it systemd-tmpfiles --create /usr/lib/tmpfiles.d/sealroom.conf
ok $? "users and places are made" || note "$(cat "$W/users")"
in_it mount -t tmpfs -o mode=755 srv /srv # not the overlay: there a file is not the same after it was written to
in_it groupadd scan && in_it useradd -M -G scan alice && in_it useradd -M -G scan bob && in_it useradd -M carl
in_it install -d -o sealroom -g sealroom -m 750 /srv/archive
in_it install -d -o sealroom -g scan -m 2770 /srv/scan/post
cat >"$M/sealroom.conf" <<-CONF
	language = "en";
	folders : { post : { path = "/srv/scan/post"; rules = [ "all" ]; seals = [ "stamp" ]; settle = "300ms"; give = { mode = "0660"; keep = "30d"; }; }; };
	scan : { languages = [ "eng" ]; };
	rules : { all : { when = "always"; place = { at = "bottom-right"; size = [ "20mm", "6mm" ]; margin = [ "1mm", "1mm" ]; }; seal = "stamp"; }; };
	seals : { stamp : { tokens = [ "soft" ]; level = "B-T"; tsa = "test"; look = { lines = [ "Sealed" ]; }; }; };
	tokens : { soft : { module = "$MODULE"; label = "$TOKEN"; key_label = "$KEY"; chain = "pki/issuing.pem"; pin = "credential:pin"; }; };
	tsa : { test : { url = [ "$TSA_URL" ]; trust = "pki/root.pem"; }; };
	trust = "pki/root.pem";
	operators = [ "bob" ];
	metrics = "/run/sealroom/sealroom.prom";
	archive : { path = "/srv/archive"; };
	evidence : { origin = "test.example/machine"; key = "/var/lib/sealroom-log/evidence.key"; anchor = "/var/lib/sealroom-anchor"; tsa = "test"; };
	peers : { start = "connect"; };
CONF
cp "$R/pki/issuing.pem" "$R/pki/root.pem" "$PIN_FILE" "$M"
in_it install -m 644 "$M/sealroom.conf" /etc/sealroom/sealroom.conf
in_it mkdir /etc/sealroom/pki && in_it install -m 644 "$M/issuing.pem" "$M/root.pem" /etc/sealroom/pki
in_it install -m 400 "$M/$(basename "$PIN_FILE")" /etc/sealroom/pin/soft
# A soft token, closed to all but the keys' user; where its module looks for it.
cp -a "$R/pki/softhsm" "$M/softhsm" && sed -i 's#^directories.tokendir.*#directories.tokendir = /var/lib/softtoken/tokens#' "$M/softhsm/softhsm2.conf"
in_it cp -r "$M/softhsm" /var/lib/softtoken && in_it chown -R sealroom-seal: /var/lib/softtoken && in_it chmod 700 /var/lib/softtoken
printf '[Service]\nEnvironment=SOFTHSM2_CONF=/var/lib/softtoken/softhsm2.conf\nReadWritePaths=/var/lib/softtoken\n' >"$M/soft.conf"
in_it install -D -m 644 "$M/soft.conf" /etc/systemd/system/sealroom-seal@soft.service.d/soft.conf

# --- checked --------------------------------------------------------------------------------------
check() { in_it env SOFTHSM2_CONF=/var/lib/softtoken/softhsm2.conf sealroom check >"$W/check" 2>&1; }
check
like "$(cat "$W/check")" 'user sealroom is no member of its group scan.*usermod -aG scan sealroom' "check says that files of the group would be closed to the daemon"
in_it usermod -aG scan sealroom
check
is "$?" 0 "with that done, check has nothing left to say" || note "$(cat "$W/check")"
is "$(tail -n 1 "$W/check")" "0 mistakes, 0 warnings" "not even a warning, before anything has run" || note "$(cat "$W/check")"
like "$(cat "$W/check")" 'token soft: serial' "it has seen a token that only the keys' user can open"
in_it mv /etc/sealroom/pin/soft /etc/sealroom/pin/soft.away

# --- started ----------------------------------------------------------------------------------------
units=(sealroomd sealroom-seal@soft sealroom-seal@log sealroom-fetch)
said() { note "$(in_it journalctl --no-pager -o cat -u 'sealroom*' | tail -n 15)"; }
in_it systemctl enable --quiet --now sealroom-seal@soft sealroomd
ok $? "the README's line starts them" || said
active() { in_it systemctl --quiet is-active "${units[@]}"; }
wait_for 30 active
ok $? "all four are there" || note "$(in_it systemctl --no-pager status "${units[@]}")"
for u in sealroomd sealroom-seal@log sealroom-fetch; do
	is "$(in_it systemctl show -p NRestarts --value "$u")" "0" "$u did not have to be started twice"
done
status() { in_it sealroom --json status | python3 -c "import json, sys
s = json.load(sys.stdin)
sys.exit(not ($1))"; }
wait_for 30 status '"is empty" in json.dumps(s["tokens"][0])'
ok $? "a PIN that is not there yet does not keep the unit from starting; status says so" || note "$(in_it sealroom --json status)"
in_it mv /etc/sealroom/pin/soft.away /etc/sealroom/pin/soft && in_it systemctl restart sealroomd
wait_for 30 status 'all(t["ready"] for t in s["tokens"]) and all(p["ready"] for p in s["peers"])'
ok $? "with it the token is ready" || said

# --- letters ----------------------------------------------------------------------------------------
cp "$SCANS/en-letter.tif" "$M/letter.tif" && chmod 644 "$M/letter.tif"
as() { in_it setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"; }
drops() { as "$1" sh -c "umask 0007; cp $M/letter.tif /srv/scan/post/.$2.part && mv /srv/scan/post/.$2.part /srv/scan/post/$2.tif"; }
back() { in_it test -s "/srv/scan/post/done/$1.pdf"; }
drops alice first
wait_for 60 back first
ok $? "a letter that only its group may read is sealed" || said
as bob cat /srv/scan/post/done/first.pdf >"$M/first.pdf" && as bob rm /srv/scan/post/done/first.pdf
ok $? "another of the group takes it"
judge_pdfsig "$M/first.pdf"
ok $? "pdfsig is content"
! as carl ls /srv/scan/post >/dev/null 2>&1
ok $? "who is not of the group sees nothing"
like "$(as bob sealroom status 2>&1)" 'open to root and the members of its group' "who is not of the daemon's group is told so"
in_it usermod -aG sealroom bob
like "$(as bob sealroom status 2>&1)" '^  post ' "who is may ask"
in_it journalctl --no-pager -o json -u sealroomd >"$W/journal"
like "$(python3 -c 'import json, sys
for line in open(sys.argv[1]):
    j = json.loads(line)
    print(j.get("SEALROOM_JOB", "-"), j.get("MESSAGE"))' "$W/journal")" '^[0-9a-z]{26} job .* done$' "the journal has the job as a field"
like "$(in_it cat /run/sealroom/sealroom.prom)" '^sealroom_running 1$' "figures are written where others can read them"

# --- what a year brings ------------------------------------------------------------------------------
kill_unit() { in_it systemctl kill --kill-whom=main --signal=KILL "$1"; }
for u in "${units[@]}"; do
	kill_unit "$u"
	drops bob "behind-$u"
	wait_for 60 back "behind-$u"
	ok $? "$u is killed: the next letter is sealed all the same" || said
	[ "$u" != sealroom-seal@soft ] || in_it sealroom token clear soft >/dev/null 2>&1
done
in_it sed -i 's/language = "en"/language = "de"/' /etc/sealroom/sealroom.conf
in_it systemctl reload sealroomd
back_german() { in_it test -d /srv/scan/post/fertig; }
wait_for 30 back_german
ok $? "reload takes other settings" || said
in_it sed -i 's/^folders/folderz/' /etc/sealroom/sealroom.conf
in_it systemctl reload sealroomd
in_it sed -i 's/^folderz/folders/' /etc/sealroom/sealroom.conf
drops alice german
german() { in_it test -s /srv/scan/post/fertig/german.pdf; }
wait_for 60 german
ok $? "bad ones are not taken, and the work goes on" || said
in_it systemctl start sealroom-fixity
is "$?" 0 "the weekly audit proves the archive" || note "$(in_it journalctl --no-pager -o cat -u sealroom-fixity)"
in_it systemctl start sealroom-renew
is "$?" 0 "the renewal finds nothing to do" || note "$(in_it journalctl --no-pager -o cat -u sealroom-renew)"
in_it systemctl stop sealroomd
is "$(in_it systemctl show -p Result --value sealroomd)" success "it ends in order" || said
ended() { ! in_it systemctl --quiet is-active sealroom-seal@soft && ! in_it systemctl --quiet is-active sealroom-fetch; }
wait_for 30 ended
ok $? "and keys and network with it"
! in_it test -e /run/sealroom
ok $? "figures and sockets are gone"
is "$(in_it find /srv/archive -name sealed.pdf | wc -l)" 6 "six letters, each sealed once"
finish
