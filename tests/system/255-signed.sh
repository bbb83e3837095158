#!/bin/bash
# limit: 600
# PDFs that come signed: our seal on top as their signatures allow, all of them still
# valid for judges that are not ours, what each was worth on record; else held.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util qpdf pdfsig mutool pdftoppm pdftotext openssl
need_program sealroomd
room_new
LEVEL=B-B
SCAN_LANGUAGES='"eng"'
PLACE='place = { near = "Freigabe"; nth = "last"; side = "below"; size = [ "50mm", "20mm" ]; otherwise = "corner"; }; seal = "stamp";'
RULES="known : { when = { signed_by = \"O=Muster Scan GmbH\"; }; $PLACE name = \"known-{name}.pdf\"; };
  all : { when = \"always\"; $PLACE };"
FOLDER_RULES='"known", "all"'
FOLDER_EXTRA='ticket = "optional";'
room_settings

# Who signs: somebody our roots know, one whose certificate has ended, one nobody knows.
p12() { openssl pkcs12 -export -in "$R/pki/$1.pem" -inkey "$R/pki/$1.key" -certfile "$R/pki/issuing.pem" -passout pass:signer -out "$W/$1.p12"; }
p12 seal-p256 && p12 odd-expired && p12 other-tsa
K=$W/seal-p256.p12 BORN=$W/born S=$W/signed
"$TOOLS/make-pdfs" "$BORN" || bail "the samples can be made"
qpdf --object-streams=generate "$BORN/letter.pdf" "$BORN/packed.pdf"
mkdir "$S"
export TMPDIR=$W
"$TOOLS/signer" >"$W/signer.out" 2>&1 <<SIGN
sign $BORN/letter.pdf $S/approval.pdf $K sub=cades form=der
sign $S/approval.pdf $S/two.pdf $K
sign $BORN/letter.pdf $S/sha384.pdf $K sub=cades form=der digest=SHA-384
sign $BORN/letter.pdf $S/sha512.pdf $K digest=SHA-512
sign $BORN/letter.pdf $S/p1.pdf $K p=1
sign $BORN/letter.pdf $S/p2.pdf $K p=2
sign $BORN/letter.pdf $S/p3.pdf $K p=3
sign $BORN/packed.pdf $S/packed.pdf $K
sign $BORN/letter.pdf $S/visible.pdf $K box=350,700,150,50
sign $BORN/mixed.pdf $S/scan.pdf $K
fields $BORN/letter.pdf $W/fields.pdf
sign $W/fields.pdf $S/form.pdf $K
fields $BORN/letter.pdf $W/all.pdf lock=all
sign $W/all.pdf $S/lock-all.pdf $K field=Approval
fields $BORN/letter.pdf $W/one.pdf lock=include:Name
sign $W/one.pdf $S/lock-one.pdf $K field=Approval
sign $BORN/letter.pdf $S/expired.pdf $W/odd-expired.p12
sign $BORN/letter.pdf $S/foreign.pdf $W/other-tsa.p12
SIGN
rc=$?
[ $rc = 77 ] && [ "${CI-}" != true ] && skip_all "$(cat "$W/signer.out")"
is $rc 0 "PDFBox and Bouncy Castle sign the samples" || note "$(cat "$W/signer.out")"
flip() { # FILE OUT WORD: one character of WORD, which stands once in the file, is another
	python3 - "$@" <<'PY'
import sys
data, word = bytearray(open(sys.argv[1], "rb").read()), sys.argv[3].encode()
assert data.count(word) >= 1, word
data[data.find(word) + len(word) - 1] ^= 1
open(sys.argv[2], "wb").write(data)
PY
}
flip "$S/approval.pdf" "$S/tampered.pdf" "/CapHeight 729"
flip "$S/sha512.pdf" "$S/tampered512.pdf" "/CapHeight 729"
python3 - "$S/approval.pdf" "$S/added.pdf" <<'PY'
import re, sys
data = open(sys.argv[1], "rb").read()
size, prev = (int(re.findall(p, data)[-1]) for p in (rb"/Size (\d+)", rb"startxref\s+(\d+)"))
root = re.findall(rb"/Root (\d+ \d+ R)", data)[-1].decode()
at, more = len(data), "%d 0 obj\n<</Added true>>\nendobj\n" % size
more += "xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size %d/Root %s/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
    size, at, size + 1, root, prev, at + len(more))
open(sys.argv[2], "wb").write(data + more.encode())
PY

# How the judges count: signatures that are valid, and all of them.
by_pdfsig() { pdfsig -nocert "$1" 2>/dev/null >"$W/pdfsig.out"; echo "$(grep -c 'Signature is Valid' "$W/pdfsig.out") of $(grep -c 'Signature Validation' "$W/pdfsig.out")"; }
by_mutool() { mutool sign -v "$1" >"$W/mutool.out" 2>&1; echo "$(grep -cE 'The signature is valid|The document is unchanged' "$W/mutool.out") of $(($(grep -c '^Verifying' "$W/mutool.out") - $(grep -c 'is not signed' "$W/mutool.out")))"; }
is "$(by_pdfsig "$S/tampered.pdf"), $(by_mutool "$S/tampered.pdf")" "0 of 1, 0 of 1" "both judges see that one was changed after it was signed"

for f in "$S"/*.pdf; do drop "$f"; done
printf '{ "v": 1, "reference": "x1" }' >"$R/in/.t" && mv "$R/in/.t" "$R/in/foreign.pdf.ticket"
printf '{ "v": 1, "reference": "x2" }' >"$R/in/.t" && mv "$R/in/.t" "$R/in/tampered.pdf.ticket"
room_once --wait 60
is $? 0 "the daemon works until nothing is left to do" || daemon_said
D=$R/in/$DONE

record() { grep -l "\"name\": \"$1.pdf\"" "$R"/archive/20*/*/*/*/job.json; }
verdicts() { # JSON: of each signature verdict and whether it covers the document, then where the seal is
	python3 - "$1" <<'PY'
import json, sys
job = json.load(open(sys.argv[1]))
print(" ".join(s["verdict"] + ("" if s["covers_document"] else "-") for s in job["signatures"]["list"]), "seen" if job["place"]["visible"] else "unseen")
PY
}
sealed() { # NAME RESULT SIGNATURES VERDICTS
	local from=$S/$1.pdf to=$D/$2.pdf job
	[ -s "$to" ]
	ok $? "$1 is sealed" || { note "$(cat "$R/in"/*/"$1".pdf.txt)"; return; }
	job=$(record "$1")
	cmp -s -n "$(stat -c %s "$from")" "$from" "$to"
	ok $? "$1: it begins with the bytes that came"
	is "$(by_pdfsig "$to")" "$3 of $3" "$1: pdfsig calls every signature valid" || note "$(cat "$W/pdfsig.out")"
	like "$(tail -n 5 "$W/pdfsig.out")" "Total document signed" "$1: and ours covers all of it"
	is "$(by_mutool "$to")" "$3 of $3" "$1: so does mutool" || note "$(cat "$W/mutool.out")"
	judge_qpdf "$to"
	ok $? "$1: qpdf finds nothing wrong" || note "$(cat "$W/qpdf.out")"
	judge_ours "$to"
	ok $? "$1: so does sealroom verify" || note "$(cat "$W/verify.out")"
	is "$(verdicts "$job")" "$4" "$1: what its signatures were worth is on record"
	is "$(pdftotext "$to" - | tr '\f' '\n' | grep -vE '^(Elektronisch gesiegelt|Muster Scan GmbH|[0-9.]{10} [0-9:]{5}|01[0-9a-z]{24})$' | tr -d '[:space:]')" \
	    "$(pdftotext "$from" - | tr -d '[:space:]')" "$1: no text was added but the seal's"
	case $1 in
	p2) cmp -s <(pdftoppm -r 40 "$from") <(pdftoppm -r 40 "$to") ;;
	visible | form) pdftoppm -cropbox -gray -r 60 "$from" "$W/before-$1" && pdftoppm -cropbox -gray -r 60 "$to" "$W/after-$1" &&
	    "$TOOLS/samepages" "$W/before-$1" "$W/after-$1" 60 1 "$job" >"$W/same.out" 2>&1 ;;
	*) return ;;
	esac
	ok $? "$1: it looks as before but for the seal" || note "$(cat "$W/same.out")"
}
sealed approval known-approval 2 "valid seen"
sealed two known-two 3 "valid- valid seen"
sealed sha384 known-sha384 2 "valid seen"
sealed sha512 known-sha512 2 "valid seen"
sealed p2 known-p2 2 "valid unseen"
sealed p3 known-p3 2 "valid seen"
sealed packed known-packed 2 "valid seen"
sealed visible known-visible 2 "valid seen"
sealed scan known-scan 2 "valid seen"
sealed form known-form 2 "valid seen"
sealed lock-one known-lock-one 2 "valid seen"
sealed expired expired 2 "expired seen"
sealed foreign foreign 2 "unknown seen"

judge_cms "$D/known-two.pdf"
ok $? "openssl verifies our signature in one of them" || note "$(cat "$W/cms.err")"

# Each judge of ours has a twin that it refuses.
flip "$D/known-two.pdf" "$W/twin.pdf" "/CapHeight 729"
is "$(by_pdfsig "$W/twin.pdf"), $(by_mutool "$W/twin.pdf")" "0 of 3, 0 of 3" "a byte of the letter changed: no signature is valid"
judge_ours "$W/twin.pdf"
is $? 1 "and sealroom verify disproves it"
flip "$D/known-two.pdf" "$W/twin.pdf" "/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20"
is "$(by_pdfsig "$W/twin.pdf")" "2 of 3" "a byte of our seal changed: only ours is not"
judge_ours "$W/twin.pdf"
is $? 1 "which sealroom verify disproves, too"

expect() { # NAME REASON WORDS
	[ -f "$R/in/$HELD/$1.pdf" ] && cmp -s "$S/$1.pdf" "$R/in/$HELD/$1.pdf"
	ok $? "$1 is held, untouched"
	like "$(cat "$R/in/$HELD/$1.pdf.txt")" "Reason: $2: .*$3" "$1: for this reason: $2"
}
expect p1 document-locked "DocMDP, P 1"
expect lock-all document-locked FieldMDP
expect tampered document-signature-broken "digest of the byte ranges differs"
expect tampered512 document-signature-broken "digest of the byte ranges differs"
expect added document-changed "end of the file"

# Results for whoever sent a ticket.
told() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); s = r["signatures"]["list"][0]; print(r["status"], s["verdict"], s["subject"])' "$1"; }
is "$(told "$D/foreign.pdf.json")" "sealed unknown CN=Other TSA,O=Somebody Else,C=DE" "a result says who signed before, and what that was worth"
is "$(told "$R/in/$HELD/tampered.pdf.json")" "held broken CN=Muster Scan GmbH Seal p256,organizationIdentifier=VATDE-123456789,O=Muster Scan GmbH,C=DE" "so does a question"

# What is tried is what is done.
cmd try "$S/approval.pdf" --folder post --json >"$W/try.json" 2>"$W/try.err"
is "$? $(python3 -c 'import json, sys; t = json.load(open(sys.argv[1])); print(t["signatures"][0]["verdict"], t["result"]["rule"], t["result"]["mode"])' "$W/try.json")" \
    "0 valid known box" "sealroom try judges the signature, and finds the rule by it" || note "$(cat "$W/try.err")"
cmd try "$S/tampered.pdf" --folder post >"$W/try.out" 2>&1
is "$? $(tail -n 1 "$W/try.out" | cut -d: -f1-2)" "65 it would be held: document-signature-broken" "a broken one would be held"

# A person has a broken one sealed; what is locked stays so, whoever wants it.
id_of() { tr -d '\r' <"$R/in/$HELD/$1.pdf.txt" | sed -n 's/^ *Job number: //p'; }
broken=$(id_of tampered) locked=$(id_of p1)
room_start
wait_for 30 cmd release "$broken" --rule all
ok $? "an operator releases the broken one" || note "$(cmd release "$broken" --rule all 2>&1)"
wait_for 30 cmd release "$locked" --rule all
wait_for 30 test -s "$D/tampered.pdf"
ok $? "it is sealed then" || daemon_said
cmd try "$S/two.pdf" --folder post --json >"$W/here.json" 2>/dev/null
cmd try "$S/two.pdf" --folder post --daemon --json >"$W/there.json" 2>"$W/try.err"
[ -s "$W/there.json" ] && cmp -s "$W/here.json" "$W/there.json"
ok $? "the running daemon tries a signed one like the command" || note "$(cat "$W/try.err")"
wait_for 30 sh -c "[ \"\$(grep -c 'held: document-locked: .*P 1' '$LOG')\" = 2 ]"
room_stop
is "$(verdicts "$(record tampered)")" "broken seen" "and on record as broken"
is "$(by_pdfsig "$D/tampered.pdf")" "1 of 2" "for pdfsig only our seal is valid"
judge_ours "$D/tampered.pdf"
is $? 1 "sealroom verify says that a signature in it is broken"
[ ! -e "$D/p1.pdf" ] && grep -q 'document-locked' "$R/in/$HELD/p1.pdf.txt"
ok $? "the locked one is held again"

cp "$D/known-approval.pdf" "$S/own.pdf"
# By setting: other roots, no invisible seals, nothing that is signed.
again() { # SETTINGS NAME...
	local n
	SCAN_EXTRA=$1
	shift
	room_settings
	for n; do cp "$S/$n.pdf" "$W/part" && mv "$W/part" "$R/in/again-$n.pdf"; done
	room_once --wait 60
	is $? 0 "the daemon runs with $SCAN_EXTRA" || daemon_said
}
again "signed_trust = \"$R/pki/other-root.pem\"; signed_place = \"hold\"; signed_broken = \"append\";" foreign p2 added own
is "$(by_pdfsig "$D/known-again-own.pdf"), $(by_mutool "$D/known-again-own.pdf")" "3 of 3, 3 of 3" "what we have sealed ourselves is sealed again, behind its seal"
is "$(verdicts "$(record again-own)")" "valid- valid seen" "and our first seal judged as any other"
is "$(verdicts "$(record again-foreign)")" "valid seen" "signed_trust: an issuer that is trusted now"
like "$(cat "$R/in/$HELD/again-p2.pdf.txt")" 'Reason: document-locked' "signed_place: no visible seal, no seal"
is "$(verdicts "$(record again-added)")" "valid- seen" "signed_broken: what was added behind the signature is on record"
SCAN_EXTRA='signed = "hold";'
room_settings
like "$(cmd try "$S/approval.pdf" --folder post 2>&1)" 'it would be held: document-signed' "signed: none at all without a person"
cmd audit "$R/archive" >"$W/audit" 2>&1
is $? 0 "the archive holds" || note "$(cat "$W/audit")"
finish
