#!/bin/bash
# `sealroom check` compares the settings with the units that read them, and prints the drop-in; with it
# written there is nothing left to say.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util
need_program sealroom
room_new
ME=$(id -u)
units=$W/units
mkdir "$units"
cp -r "$TOP"/systemd/*.service "$TOP"/systemd/*.d "$units"
sed -i "s#^ExecStart=/usr/sbin/sealroomd#& --conf $R/sealroom.conf#; s#--conf /etc/sealroom/sealroom.conf#--conf $R/sealroom.conf#" "$units"/*.service
export SEALROOM_UNITS=$units

settings() { # FOLDER ARCHIVE ANCHOR USER SOCKET
	room_settings
	sed -i -e "s#\"$R/in\"#\"$1\"#; s#\"$R/archive\"#\"$2\"#; s#\"$R/anchor\"#\"$3\"#; s#\"$R/state/evidence.key\"#\"$3/evidence.key\"#" \
	    -e "s#^state = .*#state = \"/var/lib/sealroom\";#; s#^control = .*#control = \"/run/sealroom/control.sock\";#" \
	    -e "s#pin = \"file:[^\"]*\"#pin = \"credential:pin\"#" \
	    -e "1i peers : { start = \"connect\"; seal_user = \"$4\"; log_user = \"$4\"; fetch_user = \"$4\"; socket = \"$5\"; };" "$R/sealroom.conf"
	chmod 644 "$R/sealroom.conf"
	cmd --json check >"$W/out" 2>"$W/err"
}
texts() { python3 -c 'import json, sys
for f in json.load(open(sys.argv[1]))["findings"]:
    if f["text"].startswith("unit"): print(f["text"])' "$W/out"; }
dropins() { python3 -c 'import json, os, sys
for d in json.load(open(sys.argv[1]))["dropins"]:
    p = os.path.join(sys.argv[2], os.path.basename(os.path.dirname(d["path"])))
    os.makedirs(p, exist_ok=True)
    open(os.path.join(p, "sealroom.conf"), "w").write(d["text"])
    print(d["path"])' "$W/out" "$units"; }
sed -i "s/^User=sealroom-\(seal\|log\|fetch\)$/User=$ME/" "$units"/sealroom-seal@.service "$units"/*.d/*.conf "$units"/sealroom-fetch.service

settings /srv/scan/post /srv/archive /var/lib/sealroom-anchor "$ME" /run/sealroom/peers.sock
is "$(texts)" "units: compared with these settings" "what fits is not complained of" || note "$(cat "$W/err")"

settings /home/scans/post /data/archive /data/anchor "$((ME + 1))" /run/other/peers.sock
out=$(texts)
like "$out" "sealroomd.service: folder post: '/home/scans/post' lies where ProtectHome=yes" "a hot folder below /home"
like "$out" "sealroomd.service: archive.path: '/data/archive' is read-only" "an archive that the unit can not write"
! grep -q fixity <<<"$out"
ok $? "the audit only reads it"
like "$out" "sealroomd.service: peers.socket: '/run/other' is read-only" "a socket that the core can not make"
like "$out" "sealroom-seal@log.service: evidence.anchor: '/data/anchor' is read-only" "a record that the log's key can not write"
like "$out" "sealroom-fetch.service: peers.socket is '/run/other/peers.sock'" "a socket that the units do not know"
like "$out" "sealroom-seal@soft.service: peers.seal_user is \"$((ME + 1))\", and the unit runs as \"$ME\"" "another user than the unit's"
cmd check >"$W/text" 2>&1
like "$(cat "$W/text")" 'write /etc/systemd/system/sealroomd.service.d/sealroom.conf' "people are told where to write it"
written=$(dropins)
like "$written" '/etc/systemd/system/sealroomd.service.d/sealroom.conf' "a drop-in is printed for the core"
like "$(cat "$units/sealroomd.service.d/sealroom.conf")" '^BindPaths=/home/scans/post$' "it shows the one folder, and nothing else of /home"

sed -i 's#/run/other#/run/sealroom#' "$R/sealroom.conf"
cmd --json check >"$W/out" 2>"$W/err"
is "$(texts)" "units: compared with these settings" "with the drop-ins written there is nothing left to say"

settings /srv/scan/post /home/archive /var/lib/sealroom-anchor "$ME" /run/sealroom/peers.sock
out=$(texts)
like "$out" "sealroomd.service: archive.path: '/home/archive' is not shown to the unit" "an archive below /home"
like "$out" "sealroom-fixity.service: archive.path: '/home/archive' lies where ProtectHome=yes" "which the audit would not see"
dropins >/dev/null
like "$(cat "$units/sealroom-fixity.service.d/sealroom.conf")" '^BindPaths=/home/archive$' "its drop-in shows it"

# The keys' part: a module from elsewhere, a credential that is not loaded.
rm -r "$units"/sealroom*.service.d
cp -r "$TOP"/systemd/*.d "$units"
mkdir "$W/opt" && cp "$MODULE" "$W/opt/libsofthsm2.so"
settings /srv/scan/post /srv/archive /var/lib/sealroom-anchor "$ME" /run/sealroom/peers.sock
sed -i "s#\"$MODULE\"#\"$W/opt/libsofthsm2.so\"#; s#credential:pin#credential:other#" "$R/sealroom.conf"
cmd --json check >"$W/out" 2>"$W/err"
out=$(texts)
like "$out" "sealroom-seal@soft.service: token soft: its module '.*' can not be loaded" "a module where the unit executes nothing"
like "$out" "sealroom-seal@soft.service: token soft: credential:other is not among its credentials" "a credential that the unit does not load"
dropins >/dev/null
like "$(cat "$units/sealroom-seal@soft.service.d/sealroom.conf")" '^LoadCredential=other:/etc/sealroom/pin/soft$' "the drop-in loads it"
cmd --json check >"$W/out" 2>"$W/err"
is "$(texts)" "units: compared with these settings" "then it fits"

# One unit for all: the core's lacks what the others have.
sed -i 's#start = "connect"#start = "spawn"#' "$R/sealroom.conf"
cmd --json check >"$W/out" 2>"$W/err"
like "$(texts)" 'sealroomd.service: peers.start = "spawn": sealroom-fetch runs in this unit, which has no network' "keys and network in the core's unit"
# Not the units' settings: nothing is compared.
cp "$R/sealroom.conf" "$R/mine.conf"
"$BIN/sealroom" --conf "$R/mine.conf" --json check >"$W/out" 2>&1
is "$(texts)" "" "other settings than those the units read are not compared with them"
finish
