#!/bin/bash
# No false alarm: set-ups of every shape that are right, and `sealroom check` has nothing to say about them.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroom
room_new
tsa_start
ME=$(id -un)
good=$W/good
mkdir "$good"

# setup NAME: $R/sealroom.conf as it is now becomes a set-up of its own, with places of its own beside the PKI.
setup() {
	local d=$good/$1
	mkdir -p "$d" && cp "$R/sealroom.conf" "$d" && chmod 600 "$d/sealroom.conf"
	mkdir -m 700 "$d/state" "$d/anchor" && mkdir -p "$d/in" "$d/archive"
	sed -i -e "s#\"$R/\(in\|archive\|state\|anchor\|control\)#\"$d/\1#g" "$d/sealroom.conf"
	EXTRA='' FOLDER_EXTRA='' SCAN_EXTRA='' TOKEN_EXTRA='' TSA_EXTRA='' EVIDENCE_EXTRA='' LEVEL=B-B KEY=seal-p256
	RULES=$all FOLDER_RULES='"all"' SETTLE=300ms SCAN_LANGUAGES='"eng"' INCOMPLETE=2s
	room_settings
	sed -i '/^tsa :/d' "$R/sealroom.conf"
}
here() { room_settings; [ "$LEVEL" = B-T ] || sed -i '/^tsa :/d' "$R/sealroom.conf"; }
all=$RULES
setup warm-up && rm -r "$good/warm-up"

here; setup smallest
LEVEL=B-T; here; setup time-stamped
KEY=seal-rsa3072; here; setup rsa-3072
KEY=seal-rsa2048 TOKEN_EXTRA='unsafe_legacy = true;'; here; setup rsa-2048-on-purpose
SCAN_LANGUAGES='"deu", "eng"' EXTRA=''; here; sed -i 's/^language = "en"/language = "de"/' "$R/sealroom.conf"; setup several-languages
FOLDER_EXTRA='ticket = "required";' FOLDER_RULES='"kind", "all"'
RULES="$all kind : { when = { ticket = [ \"kind=letter\" ]; }; place = \"invisible\"; seal = \"stamp\"; name = \"{ticket.number}.pdf\"; };"
here; setup tickets
LEVEL=B-T TSA_EXTRA="timeout = \"5s\"; skew = \"1min\"; policy = \"$TSA_POLICY\";"; here
sed -i "s#url = \[ \"$TSA_URL\" \]#url = [ \"$TSA_URL\", \"$TSA_URL?second\" ]#" "$R/sealroom.conf"; setup authority-with-two-addresses
LEVEL=B-T EVIDENCE_EXTRA='tsa = "test"; batch = "12h"; renew_before = "90d";'; here; setup evidence-records
FOLDER_EXTRA='claim = "rename";' EXTRA='host = "scan-a";'; here; setup hosts-share-a-folder
FOLDER_EXTRA='poll = "always 5s";' SETTLE=30s INCOMPLETE=24h; here; setup polled-network-folder
FOLDER_EXTRA="allow = [ \"$ME\" ]; release = { by = [ \"$ME\" ]; not = \"dropper\"; }; give = { mode = \"0640\"; keep = \"30d\"; };"
EXTRA="operators = [ \"$ME\" ];"; here; setup people-and-rights
here; sed -i 's#pin = "file:[^"]*"#pin = "login"#' "$R/sealroom.conf"; setup pin-given-by-a-person
here; sed -i "s#chain = [^;]*;#cert = \"$R/pki/seal-p256.pem\"; &#" "$R/sealroom.conf"; setup certificate-in-a-file
SCAN_EXTRA="signed_trust = \"$W/others.pem\";"; cat "$R/pki/other-root.pem" "$R/pki/root.pem" >"$W/others.pem"; here; setup roots-of-others

# Two keys side by side under one seal.
here; sed -i -e 's/tokens = \[ "soft" \]/tokens = [ "soft", "more" ]/' \
    -e "s#^tokens : {#& more : { module = \"$MODULE\"; label = \"$TOKEN\"; key_label = \"seal-rsa3072\"; chain = \"$R/pki/issuing.pem\"; pin = \"file:$PIN_FILE\"; };#" "$R/sealroom.conf"
setup two-keys-side-by-side

# A seal with all a seal can have.
python3 - "$W/arms.png" <<'PY'
import struct, sys, zlib
part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes((x, y, 128, 255 if (x - 50) ** 2 + (y - 50) ** 2 < 2500 else 0)[i] for x in range(100) for i in range(4)) for y in range(100))
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 6, 0, 0, 0)) +
    part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b""))
PY
here; sed -i "s#look = {#look = { image = \"$W/arms.png\"; qr = \"{id}\"; font = \"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf\"; color = \"\#102030\"; align = \"center\";#" "$R/sealroom.conf"
setup picture-code-and-font

# Rules that look alike and are not: each is reached.
RULES="$all
 first : { when = { all = [ \"Invoice\", \"Paid\" ]; }; hold = { en = \"paid already\"; }; };
 second : { when = { any = [ \"Invoice\" ]; pages = \"1\"; }; find = { no = { after = [ \"No.\" ]; type = \"number\"; }; };
   place = { near = \"Approved\"; typos = 1; nth = \"last\"; side = \"above\"; shift = [ \"0mm\", \"-2mm\" ]; size = [ \"58mm\", \"22mm\" ]; otherwise = \"free-space\"; };
   seal = \"stamp\"; name = \"{received:%Y-%m-%d}_{find.no}.pdf\"; };
 third : { when = { any = [ \"Invoice\" ]; }; place = { at = \"top-left\"; size = [ \"58mm\", \"22mm\" ]; shift = [ \"-5mm\", \"5mm\" ]; }; seal = \"stamp\"; name = \"{received:%H-%M-%S}.pdf\"; };
 fourth : { when = { match = \"[Ii]nvoic\\\\w+\"; count = \"2-\"; }; place = { at = \"top-right\"; pages = \"2\"; size = [ \"58mm\", \"22mm\" ]; }; seal = \"stamp\"; };
 fifth : { when = { file = [ \"*.tif\" ]; none = [ \"Invoice\" ]; }; place = \"invisible\"; seal = \"stamp\"; name = \"{name}.pdf\"; };"
FOLDER_RULES='"first", "second", "third", "fourth", "fifth", "all"'; here; setup rules-of-every-kind
many=
for i in $(seq 90); do
	RULES="$RULES r$i : { when = { any = [ \"word$i\" ]; }; place = \"invisible\"; seal = \"stamp\"; };"
	many="$many\"r$i\", "
done
FOLDER_RULES="$many\"all\""; here; setup ninety-rules

# Folders of several files, in two languages, that share rules.
here
sed -i "s#^folders : {#& mail : { path = \"$R/in-mail\"; rules = [ \"only\", \"all\" ]; seals = [ \"stamp\" ]; language = \"de\"; };#; s#^rules : {#& only : { when = { folder = [ \"mail\" ]; any = [ \"Brief\" ]; }; place = \"invisible\"; seal = \"stamp\"; };#" "$R/sealroom.conf"
setup several-folders && mkdir "$good/several-folders/in-mail"
here; setup folders-d
mkdir -m 755 "$good/folders-d/folders.d" "$good/folders-d/deeds"
(
	umask 022
	cat >"$good/folders-d/folders.d/deeds.conf" <<-CONF
	folders : { deeds : { path = "../deeds"; rules = [ "deed", "all" ]; seals = [ "stamp" ]; }; };
	rules : { deed : { when = { any = [ "Deed" ]; }; place = { near = "Seal"; side = "below"; size = [ "40mm", "40mm" ]; }; seal = "stamp"; }; };
	CONF
)
here; mkdir -p "$W/prom"; sed -i "s#^control#metrics = \"$W/prom/s.prom\"; alarms : { certificate = \"60d\"; held = \"1d\"; space = \"2GiB\"; };\n&#" "$R/sealroom.conf"
setup figures-and-alarms

# An archive with a log in it, of the same name.
here; setup archive-with-a-log
mkdir -p "$good/archive-with-a-log/archive/evidence/log" "$good/archive-with-a-log/in/done"
printf 'test.example/room\n0\n' >"$good/archive-with-a-log/archive/evidence/log/checkpoint"
openssl genpkey -algorithm ed25519 -out "$good/archive-with-a-log/state/evidence.key" 2>/dev/null
chmod 400 "$good/archive-with-a-log/state/evidence.key"

# The demo's own, and the example of the units, with what they name put in its place.
sed -n '/^cat >"\$D\/sealroom.conf" <<CONF$/,/^CONF$/p' "$TOP/tests/demo.sh" | sed '1d;$d' >"$W/demo.in"
demo=$good/demo
mkdir -p "$demo/post" "$demo/mail" "$demo/archive" && mkdir -m 700 "$demo/state" "$demo/anchor" && ln -s "$R/pki" "$demo/pki"
sed "s#\$control#$demo/control#; s#\$MODULE#$MODULE#; s#\$TOKEN#$TOKEN#; s#\$PIN_FILE#$PIN_FILE#; s#\$TSA_URL#$TSA_URL#" "$W/demo.in" >"$demo/sealroom.conf"
chmod 600 "$demo/sealroom.conf"
ex=$good/example
mkdir -p "$ex/srv/scan/rechnungen" "$ex/srv/scan/urkunden" "$ex/srv/archive" "$ex/metrics" "$ex/trust" && mkdir -m 700 "$ex/state" "$ex/anchor"
cp "$R/pki/root.pem" "$ex/trust/tsa.pem" && cp "$R/pki/root.pem" "$ex/trust/seal-roots.pem"
soft="chain = \"$R/pki/issuing.pem\"; label = \"$TOKEN\"; key_label"
sed -e "s#\"/srv/#\"$ex/srv/#g; s#/run/sealroom/sealroom.prom#$ex/metrics/sealroom.prom#; s#/var/lib/sealroom-log/evidence.key#$ex/state/evidence.key#; s#/var/lib/sealroom-anchor#$ex/anchor#" \
    -e "s#/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so#$MODULE#; s#/opt/hsm/lib/pkcs11.so#$MODULE#" \
    -e "s#serial = \"0a003306\"#$soft = \"seal-p256\"#; s#serial = \"0a003307\"#$soft = \"seal-rsa3072\"#; s#label = \"SEAL-2026\"#$soft = \"seal-rsa2048\"; unsafe_legacy = true#" \
    -e "s#\"https://tsa.example.de/tsr\", \"https://tsa.example.eu/tsr\"#\"$TSA_URL\"#; s#pin = \"credential:pin\"#pin = \"login\"#" \
    -e "s#start = \"connect\"#start = \"spawn\"#" "$TOP/systemd/sealroom.conf" >"$ex/sealroom.conf"
printf 'state = "%s/state";\ncontrol = "%s/control";\n' "$ex" "$ex" >>"$ex/sealroom.conf"
chmod 600 "$ex/sealroom.conf"

# Units of production that read these very settings: users, places, an HSM on the network by its drop-in.
units() { # NAME
	mkdir "$good/$1/units" && cp -r "$TOP"/systemd/*.service "$TOP"/systemd/*.d "$good/$1/units"
	sed -i -e "s#^ExecStart=/usr/sbin/sealroomd#& --conf $good/$1/sealroom.conf#; s#--conf /etc/sealroom/sealroom.conf#--conf $good/$1/sealroom.conf#" \
	    -e "s/^User=sealroom-\(seal\|log\|fetch\)$/User=$ME/" "$good/$1/units"/*.service "$good/$1/units"/*.d/*.conf
	sed -i "1i peers : { start = \"connect\"; seal_user = \"$ME\"; log_user = \"$ME\"; fetch_user = \"$ME\"; socket = \"/run/sealroom/peers.sock\"; };" "$good/$1/sealroom.conf"
	chmod 644 "$good/$1/sealroom.conf"
	mkdir -p "$good/$1/units/sealroomd.service.d" "$good/$1/units/sealroom-fixity.service.d" "$good/$1/units/sealroom-seal@log.service.d" "$good/$1/units/sealroom-seal@soft.service.d"
	printf '[Service]\nBindPaths=%s\n' "$good/$1" >"$good/$1/units/sealroomd.service.d/places.conf"
	cp "$good/$1/units/sealroomd.service.d/places.conf" "$good/$1/units/sealroom-fixity.service.d"
	printf '[Service]\nBindPaths=%s\n' "$good/$1" >"$good/$1/units/sealroom-seal@log.service.d/places.conf"
}
here; sed -i 's#pin = "file:[^"]*"#pin = "credential:pin"#' "$R/sealroom.conf"; setup units-of-production
sed -i 's#key = "[^"]*/state/evidence.key"#key = "'"$good/units-of-production/anchor/evidence.key"'"#' "$good/units-of-production/sealroom.conf"
units units-of-production
here; sed -i 's#pin = "file:[^"]*"#pin = "credential:pin"#' "$R/sealroom.conf"; setup hsm-on-the-network
mkdir "$good/hsm-on-the-network/opt" && cp "$MODULE" "$good/hsm-on-the-network/opt/libsofthsm2.so"
sed -i "s#\"$MODULE\"#\"$good/hsm-on-the-network/opt/libsofthsm2.so\"#; s#key = \"[^\"]*/state/evidence.key\"#key = \"$good/hsm-on-the-network/anchor/evidence.key\"#" "$good/hsm-on-the-network/sealroom.conf"
units hsm-on-the-network
printf '[Service]\nExecPaths=%s\nPrivateNetwork=no\nIPAddressAllow=10.0.0.7\n' "$good/hsm-on-the-network/opt" \
    >"$good/hsm-on-the-network/units/sealroom-seal@soft.service.d/hsm.conf"

export BIN TOOLS R
"$TOOLS/checkall" good "$good" >"$W/out"
cat "$W/out"
grep -c '^not ok' "$W/out" | grep -qx 0 && [ "$(grep -c '^ok' "$W/out")" -ge 20 ]
