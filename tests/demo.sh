#!/bin/bash
# The main job, end to end, below ./demo: a PKI and a SoftHSM token of their own, a
# time-stamping authority on loopback, settings, the daemon; bundled scans go in,
# and every result is judged by sealroom, pdfsig, qpdf and openssl.
#
#   make demo            about a minute; stops all it started
#   KEEP=1 make demo     leaves daemon and authority running, and says how to stop them
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BIN=${SEALROOM_BIN:-$TOP/build}
D=${OUT:+$OUT/}
D=${D:-$TOP/}demo
SCANS=$TOP/tests/data/scans
TOOLS=$TOP/tests/tools
export LC_ALL=C.UTF-8
began=$SECONDS
pids=()
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }
leave() {
	local p
	[ -n "${KEEP-}" ] && [ "${ended-}" = 1 ] && return
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null; done
}
trap leave EXIT
trap 'exit 130' INT TERM

if [ -e "$D/pids" ]; then
	for p in $(cat "$D/pids"); do
		grep -qsaF "$D" "/proc/$p/cmdline" && die "a demo still runs here: kill $(tr '\n' ' ' <"$D/pids")"
	done
fi
chmod -R u+w "$D" 2>/dev/null
rm -rf "${D:?}"/* && mkdir -p "$D/post" "$D/mail" "$D/archive" "$D/png" || die "can not write below $D"
mkdir -m 700 "$D/state" "$D/anchor" || die "can not write below $D"
control=$D/control
[ ${#control} -lt 100 ] || control=$(mktemp -d "${TMPDIR:-/tmp}/sr.XXXXXX")/control

say "A PKI, a token and a time-stamping authority to throw away"
"$TOOLS/test-pki" create "$D/pki" --keys p256 >"$D/pki.out" && "$TOOLS/test-pki" token "$D/pki" --keys p256 >"$D/token.out" ||
	die "the test PKI could not be made"
# shellcheck disable=SC1091
. "$D/pki/env" && . "$D/token.out"
export SOFTHSM2_CONF
"$TOOLS/test-pki" serve "$D/pki" >"$D/tsa.out" 2>&1 &
pids+=($!)
for _ in $(seq 100); do grep -q READY "$D/tsa.out" && break; sleep 0.1; done
openssl x509 -in "$D/pki/seal-p256.pem" -noout -subject -issuer -enddate | sed 's/^/  /'

cat >"$D/sealroom.conf" <<CONF
# Made by make demo.  What each key means: sealroom.conf(5), or sealroom check --show.
language = "en";
state    = "state";
control  = "$control";

folders :
{
  post : { path = "post";  language = "de";  rules = [ "brief", "akte", "rechnung", "sonst" ];  seals = [ "stamp" ];
           settle = "500ms";  incomplete_max = "5s"; };
  mail : { path = "mail";  language = "en";  rules = [ "letter", "invoice", "other" ];  seals = [ "stamp" ];
           settle = "500ms";  incomplete_max = "5s"; };
};

scan : { languages = [ "deu", "eng" ]; };

rules :
{
  brief    : { when  = { any = [ "Siegel der Behörde" ];  typos = 1; };
               place = { near = "Siegel der Behörde";  typos = 1;  nth = "only";  side = "below";
                         shift = [ "0mm", "1mm" ];  size = [ "58mm", "22mm" ];  otherwise = "hold"; };
               seal  = "stamp"; };
  akte     : { when  = { any = [ "Dienstsiegel" ];  typos = 1; };
               place = { near = "Dienstsiegel";  typos = 1;  pages = "last";  side = "right";
                         shift = [ "2mm", "0mm" ];  size = [ "58mm", "22mm" ];  otherwise = "corner"; };
               seal  = "stamp"; };
  rechnung : { when  = { any = [ "Rechnung" ];  typos = 1; };
               find  = { nummer = { after = [ "Rechnung Nr." ];  take = "RE[0-9-]+";  required = false; }; };
               place = { near = "Freigabe";  typos = 1;  nth = "last";  side = "above";
                         shift = [ "0mm", "-2mm" ];  size = [ "58mm", "22mm" ];  otherwise = "corner"; };
               seal  = "stamp";  name = "{received:%Y-%m-%d}_{find.nummer}.pdf"; };
  sonst    : { when = "always";  place = { at = "bottom-right";  size = [ "58mm", "22mm" ]; };  seal = "stamp"; };
  letter   : { when  = { any = [ "Place of seal" ];  typos = 1; };
               place = { near = "Place of seal";  typos = 1;  side = "below";
                         shift = [ "0mm", "1mm" ];  size = [ "58mm", "22mm" ]; };
               seal  = "stamp"; };
  invoice  : { when  = { any = [ "Invoice" ];  typos = 1; };
               place = { near = "Approved for payment";  typos = 1;  side = "right";
                         shift = [ "4mm", "0mm" ];  size = [ "58mm", "22mm" ];  otherwise = "corner"; };
               seal  = "stamp"; };
  other    : { when = "always";  hold = { en = "No rule applies.";  de = "Keine Regel passt."; }; };
};

seals :
{
  stamp : { tokens = [ "soft" ];  level = "B-T";  tsa = "loopback";
            look = { lines = [ "Elektronisch gesiegelt", "{org}", "{time:%d.%m.%Y %H:%M}", "{id}" ]; }; };
};

tokens : { soft : { module = "$MODULE";  label = "$TOKEN";  key_label = "seal-p256";
                    chain = "pki/issuing.pem";  pin = "file:$PIN_FILE"; }; };
tsa    : { loopback : { url = [ "$TSA_URL" ];  trust = "pki/root.pem"; }; };
trust  = "pki/root.pem";
archive  : { path = "archive"; };
evidence : { origin = "demo.example/post";  anchor = "anchor"; };
CONF
chmod 600 "$D/sealroom.conf"

say "sealroom check"
"$BIN/sealroom" --conf "$D/sealroom.conf" check | sed 's/^/  /'

say "The daemon starts; ten letters arrive"
"$BIN/sealroomd" --conf "$D/sealroom.conf" >"$D/daemon.log" 2>&1 </dev/null &
daemon=$!
pids+=("$daemon")
printf '%s\n' "${pids[@]}" >"$D/pids"
drop() { cp "$SCANS/$1" "$D/$2/.$1.part" && mv "$D/$2/.$1.part" "$D/$2/$1"; }
for f in de-brief.tif de-rechnung.jpg de-akte.pdf de-schief.tif de-zweimal.tif de-abgebrochen.tif; do drop $f post; done
for f in en-letter.tif en-invoice.png en-turned.tif en-sideways.tif; do drop $f mail; done
start=$SECONDS seen='' last=''
while :; do
	for f in "$D"/post/{fertig,offen,fehler}/* "$D"/mail/{done,held,error}/*; do
		[ -e "$f" ] || continue
		case $seen in *"$f|"*) continue ;; esac
		case $f in *.txt | *.png) [ -e "${f%.*}" ] && continue ;; esac
		seen="$seen$f|"
		printf '\r\033[K  %3d s   %s\n' $((SECONDS - start)) "${f#"$D"/}"
	done
	now=$("$BIN/sealroom" --conf "$D/sealroom.conf" status --json 2>/dev/null | python3 -c '
import json, sys
jobs = [j for j in json.load(sys.stdin).get("jobs", []) if j["state"] != "held"]
print(" · ".join("%s %s%s" % (j["name"], j.get("step", j["state"]), " %d/%d" % (j["done"], j["of"]) if j.get("of") else "") for j in jobs[:4]))' 2>/dev/null)
	[ "$now" = "$last" ] || [ ! -t 1 ] || printf '\r\033[K         %.110s' "$now"
	last=$now
	[ "$(echo "$seen" | tr '|' '\n' | grep -c .)" -ge 10 ] && [ -z "$now" ] && break
	kill -0 $daemon 2>/dev/null || { tail -n 20 "$D/daemon.log"; die "the daemon has ended"; }
	[ $((SECONDS - start)) -lt 120 ] || { tail -n 20 "$D/daemon.log"; die "not all letters came back"; }
	sleep 0.3
done

say "Why two did not come back sealed"
for f in "$D"/post/offen/*.txt "$D"/post/fehler/*.txt; do
	[ -e "$f" ] || continue
	echo "  ${f#"$D"/}"
	tr -d '\r' <"$f" | sed 's/^/    /'
done

say "Judged by sealroom, pdfsig, qpdf and openssl"
bad=0
judge() { # name, command...
	local what=$1
	shift
	if "$@" >>"$D/judges.log" 2>&1; then printf '  %s ok' "$what"; else printf '  \033[31m%s FAILED\033[0m' "$what"; bad=$((bad + 1)); fi
}
by_pdfsig() { pdfsig -nocert "$1" | tee -a "$D/judges.log" | grep -q 'Signature Validation: Signature is Valid' && pdfsig -nocert "$1" | grep -q 'Total document signed'; }
by_openssl() { openssl cms -verify -cades -binary -inform DER -in "$D/sig.cms" -content "$D/sig.data" -CAfile "$D/pki/root.pem" -purpose any -out /dev/null; }
by_ts() { openssl ts -verify -token_in -in "$D/sig.tst" -data "$D/sig.value" -CAfile "$D/pki/root.pem" -untrusted "$D/pki/tsaca.pem"; }
count=0
for f in "$D"/post/fertig/*.pdf "$D"/mail/done/*.pdf; do
	count=$((count + 1))
	printf '  %-38s' "${f#"$D"/}"
	"$TOOLS/sigextract" "$f" "$D/sig" >>"$D/judges.log" 2>&1
	judge sealroom "$BIN/sealroom" --conf "$D/sealroom.conf" verify "$f"
	judge pdfsig by_pdfsig "$f"
	judge qpdf qpdf --check "$f"
	judge "openssl cms" by_openssl
	judge "openssl ts" by_ts
	echo
	mutool draw -q -r 80 -o "$D/png/$(basename "$f" .pdf)-%d.png" "$f" 2>>"$D/judges.log" || bad=$((bad + 1))
done
rm -f "$D"/sig.*
printf '  %-38s' "archive and evidence log"
judge "sealroom audit" "$BIN/sealroom" --conf "$D/sealroom.conf" audit "$D/archive"
judge "log read from outside" "$TOOLS/logread" "$D/archive" --prove
echo
[ $count = 8 ] || { echo "  $count letters were sealed, not 8"; bad=$((bad + 1)); }

say "One letter in full"
"$BIN/sealroom" --conf "$D/sealroom.conf" verify "$D/mail/done/en-letter.pdf" | sed 's/^/  /'
say "Pictures of the sealed pages: ${D#"$TOP"/}/png"
find "$D/png" -name '*.png' -printf '  %f\n' | sort | column -c 100 2>/dev/null || true

ended=1
if [ -n "${KEEP-}" ]; then
	say "Still running (KEEP=1): drop scans into $D/post or $D/mail"
	echo "  $BIN/sealroom --conf $D/sealroom.conf status"
	echo "  stop it with: kill $(tr '\n' ' ' <"$D/pids")"
else
	leave
	rm -f "$D/pids"
fi
say "$((SECONDS - began)) seconds; $([ $bad = 0 ] && echo "all judges agree" || echo "$bad complaints, see ${D#"$TOP"/}/judges.log")"
[ $bad = 0 ]
