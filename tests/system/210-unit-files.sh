#!/bin/bash
# The files of systemd/: they are installed, verify cleanly, are as closed as they claim, and name the
# same users, sockets and paths as each other and as the settings' defaults.
. "$(dirname "$0")/../lib.sh"
need systemd-analyze python3
need_program sealroom
U=$TOP/systemd
units() { (cd "$U" && ls -- *.service *.timer); }
value() { sed -n "s/^$2=//p" "$U/$1" | tail -n 1; }

# --- installed, and understood --------------------------------------------------------------
installed=$(make -C "$TOP" -n O="$BIN" DESTDIR=/D install 2>/dev/null)
for f in $(units) sealroom-seal@log.service.d/log.conf; do
	printf '%s\n' "$installed" | grep -qF "$f"
	ok $? "make install has $f"
done
like "$installed" 'sysusers.conf /D/usr/lib/sysusers.d/sealroom.conf' "and the users"
like "$installed" 'tmpfiles.conf /D/usr/lib/tmpfiles.d/sealroom.conf' "and the directories"

root=$W/root
mkdir -p "$root/usr/lib/systemd/system" "$root/etc"
cp -r "$U"/*.service "$U"/*.timer "$U"/*.d "$root/usr/lib/systemd/system/"
for u in basic.target sysinit.target shutdown.target multi-user.target timers.target network.target local-fs.target \
    time-sync.target pcscd.socket; do # what the units lean on
	printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$u" >"$root/usr/lib/systemd/system/$u"
	[ "$u" != pcscd.socket ] || printf '[Socket]\nListenStream=/run/pcscd/pcscd.comm\nService=sealroomd.service\n' >>"$root/usr/lib/systemd/system/$u"
done
for p in $(sed -n 's/^Exec\(Start\|Reload\)=\([^ ]*\).*/\2/p' "$U"/*.service); do
	mkdir -p "$root${p%/*}" && printf '#!/bin/sh\n' >"$root$p" && chmod 755 "$root$p"
done
verify() { # UNIT: what systemd-analyze has to say; nothing when all is well
	systemd-analyze --man=no --root="$root" verify "/usr/lib/systemd/system/$1" 2>&1 | grep -vE '^(Cannot|Failed to) (open|create|prepare).*(bpf|cgroup|generator)'
}
for u in $(units); do
	case $u in *@.service) u=${u%.service}hsm.service ;; esac
	is "$(verify "$u")" "" "$u verifies cleanly"
done
is "$(verify sealroom-seal@log.service)" "" "sealroom-seal@log.service verifies cleanly"
echo 'PrivateNetwrok=yes' >>"$root/usr/lib/systemd/system/sealroomd.service"
sed -i 's/^\[Install\]$/&\nPrivateNetwrok=yes/' "$root/usr/lib/systemd/system/sealroomd.service"
like "$(verify sealroomd.service)" 'PrivateNetwrok' "a slip of the pen is noticed"

# --- as closed as they claim ---------------------------------------------------------------------
exposure() { systemd-analyze --no-pager security --offline=true "$1" 2>&1 | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p'; }
closed() { # FILE LIMIT SENTENCE
	local e
	e=$(exposure "$1")
	python3 -c "import sys; sys.exit(not 0 <= float(sys.argv[1] or 99) <= float(sys.argv[2]))" "$e" "$2"
	ok $? "$3: exposure $e, at most $2"
}
closed "$U/sealroomd.service" 0.5 "the core"
closed "$U/sealroom-seal@.service" 0.5 "the keys"
closed "$U/sealroom-fetch.service" 1.1 "the network"
closed "$U/sealroom-fixity.service" 0.5 "the audit"
closed "$U/sealroom-renew.service" 0.5 "the renewal"
sed '/^PrivateNetwork/d; /^CapabilityBoundingSet/d; /^SystemCallFilter/d' "$U/sealroomd.service" >"$W/sealroomd.service"
e=$(exposure "$W/sealroomd.service")
python3 -c "import sys; sys.exit(not float(sys.argv[1]) > 0.5)" "$e"
ok $? "a unit that gives up its limits is noticed ($e)"

# --- they fit each other ---------------------------------------------------------------------------
cat >"$W/least.conf" <<-'CONF'
	folders : { post : { path = "/srv/scan/post"; rules = [ "ask" ]; }; };
	rules : { ask : { when = "always"; hold = { en = "?"; }; }; };
	trust = "/etc/sealroom/roots.pem"; archive : { path = "/srv/archive"; }; evidence : { origin = "a.example/b"; };
CONF
chmod 600 "$W/least.conf"
"$BIN/sealroom" --conf "$W/least.conf" check --show >"$W/defaults" 2>&1
default() { sed -n "s/^[ \t]*$1 *= *\"\([^\"]*\)\".*/\1/p" "$W/defaults" | head -n 1; }
socket=$(sed -n 's/.*--connect \([^ ]*\).*/\1/p' "$U"/*.service | sort -u)
is "$socket" "$(default socket)" "keys and network come to where the core listens by default"
is "$(dirname "$socket")" "/run/$(value sealroomd.service RuntimeDirectory)" "which is the core's runtime directory"
is "$(value sealroom-seal@.service User)" "$(default seal_user)" "the keys' user is the settings' default"
is "$(value sealroom-seal@log.service.d/log.conf User)" "$(default log_user)" "the log's key has another"
is "$(value sealroom-fetch.service User)" "$(default fetch_user)" "so is the network's"
is "/var/lib/$(value sealroomd.service StateDirectory)" "$(default state)" "the core's state directory, too"
for u in sealroomd.service sealroom-seal@.service sealroom-fetch.service sealroom-fixity.service sealroom-renew.service; do
	grep -qE "^u $(value $u User) " "$U/sysusers.conf"
	ok $? "$u: its user is made by sysusers"
done
is "$(awk '$1 == "d" { print $4; print $5 }' "$U/tmpfiles.conf" | grep -vxE "root|$(sed -n 's/^u \([^ ]*\) .*/\1/p' "$U/sysusers.conf" | paste -sd'|')")" "" \
    "the directories belong to those users"
sample=$U/sealroom.conf
for f in anchor key; do
	path=$(sed -n "s/.*[ {]$f *= *\"\([^\"]*\)\".*/\1/p" "$sample" | head -n 1)
	case " $(value sealroom-seal@log.service.d/log.conf StateDirectory) " in
	*" $(echo "$path" | cut -d/ -f4) "*) ok 0 "evidence.$f of the sample lies where the log's unit may write" ;;
	*) ok 1 "evidence.$f of the sample lies where the log's unit may write: $path" ;;
	esac
done
like "$(cat "$sample")" 'start = "connect"' "the sample is for these units"
for p in $(grep -v '^ *#' "$sample" | sed -n 's/.*path *= *"\([^"]*\)".*/\1/p'); do
	printf '%s\n' "$(value sealroomd.service ReadWritePaths)" | tr ' ' '\n' | sed 's/^-//' | grep -qE '.' &&
	    case $p in /srv/scan/* | /srv/archive*) true ;; *) false ;; esac
	ok $? "the core may write $p of the sample"
done
finish
