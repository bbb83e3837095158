# shellcheck shell=bash disable=SC2034
# lib.sh - what the test scripts share; to be sourced.
#
# TAP:      ok RESULT SENTENCE · is GOT WANTED SENTENCE · like TEXT ERE SENTENCE
#           skip SENTENCE REASON · need TOOL... · finish
# A daemon: room_new [KEY...] makes a room (PKI, TSA, token, folders, settings) in
#           $R; room_settings writes $R/sealroom.conf; tsa_start; room_once ARG...
#           runs sealroomd --once; room_start / room_stop run it beside the test.
# Judges:   judge_pdfsig, judge_qpdf ... FILE: 0 when that tool is content.
#
# Variables: TOP the project, BIN the programs, W this test's directory, R the room.
set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${SEALROOM_BIN:-$TOP/build}
TOOLS=$TOP/tests/tools
SCANS=$TOP/tests/data/scans
W=$(mktemp -d "${TMPDIR:-/tmp}/w.XXXXXX")
R=$W/room
COUNT=0 FAILED=0
PIDS=()
export LC_ALL=C.UTF-8 TZ=UTC

# --- TAP ---------------------------------------------------------------------------------
ok() { # RESULT SENTENCE
	COUNT=$((COUNT + 1))
	if [ "$1" = 0 ]; then
		echo "ok $COUNT - $2"
	else
		FAILED=$((FAILED + 1))
		echo "not ok $COUNT - $2"
		local i=1
		[ "${FUNCNAME[1]-}" = is ] || [ "${FUNCNAME[1]-}" = like ] && i=2
		echo "# failed at $(basename "${BASH_SOURCE[$i]}"):${BASH_LINENO[$((i - 1))]}"
	fi
	return "$1"
}
note() { printf '%s\n' "$*" | sed 's/^/# /' | head -n "${NOTE_LINES:-20}"; }
is() { # GOT WANTED SENTENCE
	[ "$1" = "$2" ]
	ok $? "$3" || { note "wanted: $2"; note "got:    $1"; return 1; }
}
like() { # TEXT ERE SENTENCE
	printf '%s\n' "$1" | grep -qE -- "$2"
	ok $? "$3" || { note "wanted: /$2/"; note "got:    $1"; return 1; }
}
skip() { # SENTENCE REASON
	COUNT=$((COUNT + 1))
	echo "ok $COUNT - $1 # SKIP $2"
}
bail() {
	echo "not ok $((COUNT += 1)) - $*"
	FAILED=$((FAILED + 1))
	finish
}
finish() {
	echo "1..$COUNT"
	[ "$FAILED" = 0 ]
	exit
}
skip_all() { # REASON
	[ $COUNT = 0 ] && echo "1..0 # SKIP $1"
	[ $COUNT = 0 ] || echo "1..$COUNT"
	exit 0
}
# Tools the test can not do without.  In CI a missing one is a failure, not a skip.
need() {
	local t
	for t; do
		command -v "$t" >/dev/null && continue
		[ "${CI-}" = true ] && bail "$t is installed (make deps)"
		skip_all "$t is not installed: make deps"
	done
}
need_program() {
	local p
	for p; do [ -x "$BIN/$p" ] || bail "$p is built"; done
}

leave() {
	local p
	for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done
	[ -n "${KEEP-}" ] || rm -rf "$W"
}
trap leave EXIT

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
sha() { sha256sum "$1" | cut -d' ' -f1; }

# --- a room --------------------------------------------------------------------------------
# One PKI with one token of all keys is made a run, because keys take long; each
# test has a copy of its own, with its own port.
PKI_KEYS=rsa3072,p256,rsa2048
pki_cached() {
	local c=${SEALROOM_CACHE:-$W}/pki
	(
		flock 9
		[ -e "$c/done" ] && exit 0
		rm -rf "$c"
		"$TOOLS/test-pki" create "$c" --keys $PKI_KEYS >"$c.out" &&
		    "$TOOLS/test-pki" token "$c" --keys $PKI_KEYS,odd-expired,odd-wrongkey >"$c/token" && touch "$c/done"
	) 9>"${SEALROOM_CACHE:-$W}/pki.lock" >&2 || bail "a test PKI can be made"
	echo "$c"
}
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# Fills $R: pki/, in/ (hot folder), archive/, state/, anchor/.
room_new() {
	local from port
	from=$(pki_cached) || exit 1
	port=$(free_port)
	if ! mkdir -p "$R" || ! cp -a "$from" "$R/pki"; then bail "a room can be made"; fi
	sed -i -e "s#$from#$R/pki#g" -e "s#127.0.0.1:[0-9]*#127.0.0.1:$port#; s#^PKI_PORT=.*#PKI_PORT='$port'#" \
	    "$R/pki/env" "$R/pki/token" "$R/pki/pki.cnf" "$R/pki/softhsm/softhsm2.conf"
	mkdir -m 700 "$R/state" "$R/anchor"
	mkdir "$R/in" "$R/archive"
	# shellcheck disable=SC1091
	. "$R/pki/env" && . "$R/pki/token"
	export SOFTHSM2_CONF
	TSA_URL=http://127.0.0.1:$port/tsa
	LOG=$R/daemon.log
	KEY=seal-p256
	LEVEL=B-T
	RULES='all : { when = "always"; place = { at = "bottom-right"; size = [ "62mm", "24mm" ]; margin = [ "10mm", "10mm" ]; }; seal = "stamp"; };'
	FOLDER_RULES='"all"'
	SETTLE=300ms
	SCAN_LANGUAGES='"deu", "eng"'
	EXTRA='' FOLDER_EXTRA='' SCAN_EXTRA=''
	room_settings
}
# Variables above may be changed before a second call.
room_settings() {
	cat >"$R/sealroom.conf" <<-CONF
	language = "en";
	state = "$R/state";
	control = "$R/control";
	$EXTRA
	folders : { post : { path = "$R/in"; rules = [ $FOLDER_RULES ]; seals = [ "stamp" ]; settle = "$SETTLE";
	  incomplete_max = "${INCOMPLETE:-2s}"; status_file = ${STATUS_FILE:-false}; $FOLDER_EXTRA }; };
	scan : { languages = [ $SCAN_LANGUAGES ]; $SCAN_EXTRA };
	rules : { $RULES };
	seals : { stamp : { tokens = [ "soft" ]; level = "$LEVEL"; $([ "$LEVEL" = B-B ] || echo 'tsa = "test";')
	  look = { lines = [ "Elektronisch gesiegelt", "{org}", "{time:%d.%m.%Y %H:%M}", "{id}" ]; }; }; };
	tokens : { soft : { module = "${MODULE_OVER:-$MODULE}"; label = "$TOKEN"; key_label = "$KEY"; chain = "$R/pki/issuing.pem";
	  pin = "file:$PIN_FILE"; ${TOKEN_EXTRA-} }; };
	tsa : { test : { url = [ "$TSA_URL" ]; trust = "$R/pki/root.pem"; ${TSA_EXTRA-} }; };
	trust = "$R/pki/root.pem";
	archive : { path = "$R/archive"; };
	evidence : { origin = "test.example/room"; anchor = "$R/anchor"; key = "$R/state/evidence.key"; ${EVIDENCE_EXTRA-} };
	CONF
	chmod 600 "$R/sealroom.conf"
}
# The token behind a module that counts and can misbehave: see p11fault.c.
p11fault_settings() {
	[ -z "${SEALROOM_ASAN-}" ] || skip_all "a build with sanitizers takes no module but SoftHSM's"
	export P11FAULT_MODULE=$MODULE P11FAULT_CTL=$R/pki/softhsm/p11.ctl P11FAULT_LOG=$R/p11.log
	: >"$P11FAULT_CTL"
	: >"$P11FAULT_LOG"
	MODULE_OVER=$BIN/tests/p11fault.so
	room_settings
}
tsa_start() {
	local out=$R/tsa.out
	"$TOOLS/test-pki" serve "$R/pki" --seconds "${TSA_SECONDS:-1800}" >"$out" 2>"$R/tsa.err" &
	TSA_PID=$!
	PIDS+=("$TSA_PID")
	wait_for 15 grep -q READY "$out" || bail "the test TSA starts: $(cat "$R/tsa.err")"
}
tsa_fault() { "$TOOLS/test-pki" fault "$R/pki" "$@"; }

# drop FILE [NAME]: complete at once, as a good sender would.
drop() {
	local name=${2:-$(basename "$1")}
	cp "$1" "$R/in/.$name.part" && mv "$R/in/.$name.part" "$R/in/$name"
}
room_once() { # [ARG...]: exit status of the daemon
	timeout "${ONCE_MAX:-120}" ${TRACE:+"${TRACE[@]}"} "${DAEMON:-$BIN/sealroomd}" --conf "$R/sealroom.conf" --once "$@" >>"$LOG" 2>&1 </dev/null
}
room_start() {
	"$BIN/sealroomd" --conf "$R/sealroom.conf" >>"$LOG" 2>&1 </dev/null &
	ROOM_PID=$!
	PIDS+=("$ROOM_PID")
}
room_stop() {
	local rc
	kill -TERM "$ROOM_PID" 2>/dev/null
	wait "$ROOM_PID"
	rc=$?
	ROOM_PID=
	return $rc
}
cmd() { "$BIN/sealroom" --conf "$R/sealroom.conf" "$@"; }
daemon_said() { NOTE_LINES=25 note "$(tail -n 25 "$LOG")"; }
# Names of the folders inside the hot folder, in the room's language.
DONE='done' HELD=held ERROR=error WORK=work

# --- judges: tools that are not ours -------------------------------------------------------
nssdb() { # a certificate store of pdfsig's with the test root
	[ -d "$W/nss" ] && return
	mkdir "$W/nss" && certutil -N -d "sql:$W/nss" --empty-password &&
	    certutil -A -d "sql:$W/nss" -n root -t CT,C,C -i "$R/pki/root.pem"
}
# pdfsig looks at integrity and coverage; the chain is openssl's to judge.
judge_pdfsig() {
	local out
	out=$(pdfsig -nocert "$1" 2>&1) || return 1
	printf '%s\n' "$out" | grep -q 'Signature Validation: Signature is Valid' &&
	    printf '%s\n' "$out" | grep -q 'Total document signed' &&
	    ! printf '%s\n' "$out" | grep -qE 'Validation: .*(Invalid|Digest Mismatch|not valid)|Not total document'
}
judge_qpdf() { qpdf --check "$1" >"$W/qpdf.out" 2>&1 && ! grep -qi warning "$W/qpdf.out"; }
judge_mutool() {
	mutool draw -q -F png -r 20 -o "$W/m%d.png" "$1" >"$W/mutool.out" 2>&1 &&
	    ! grep -v 'ICC support is not available' "$W/mutool.out" | grep -qE 'error|warning'
}
judge_cms() { # signature over the byte ranges, chain to the test root, CAdES attributes
	"$TOOLS/sigextract" "$1" "$W/sig" &&
	    openssl cms -verify -cades -binary -inform DER -in "$W/sig.cms" -content "$W/sig.data" -CAfile "$R/pki/root.pem" \
	        -purpose any -out "$W/sig.out" 2>"$W/cms.err" && cmp -s "$W/sig.out" "$W/sig.data"
}
judge_ts() { # time-stamp over the signature value, chain of the TSA
	"$TOOLS/sigextract" "$1" "$W/sig" && [ -s "$W/sig.tst" ] &&
	    openssl ts -verify -token_in -in "$W/sig.tst" -data "$W/sig.value" -CAfile "$R/pki/root.pem" \
	        -untrusted "$R/pki/tsaca.pem" >"$W/ts.out" 2>&1
}
# Of a twin that says 1b, because no judge of part 2 is packaged.  A CIDSet is a
# must in part 1 and left out in part 2 (ISO 19005-2, 6.2.11.4.2): that one is not counted.
judge_pdfa() {
	LC_ALL=C sed -E 's,(<pdfaid:part>)2<,\11<,; s,(<pdfaid:conformance>)U<,\1B<,' "$1" >"$W/twin1b.pdf"
	"$TOOLS/preflight" "$W/twin1b.pdf" >"$W/pdfa.all" 2>&1
	grep -v 'The CIDSet entry is missing' "$W/pdfa.all" >"$W/pdfa.out"
	[ -s "$W/pdfa.all" ] && ! grep -qv '^ok' "$W/pdfa.out"
}
judge_ours() { cmd verify "$1" >"$W/verify.out" 2>&1; }
text_of() { pdftotext -layout "$1" - 2>/dev/null; }
