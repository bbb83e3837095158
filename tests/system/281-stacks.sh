#!/bin/bash
# limit: 300
# Stacks with separator sheets, scanned as TIFF and as PDF, divided by patch codes and by barcodes:
# each document is sealed by itself, with the images of the stack bit for bit; the archive has the
# stack as it came, and leads from each document to it and back with sha256sum and jq.  What can
# not be divided soundly is held, and says why.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util zint jq pdfimages pdfsig pdftotext qpdf openssl
need_program sealroomd sealroom
room_new
LEVEL=B-B
SCAN_LANGUAGES='"eng"'
RULES='second : { when = { any = [ "SECOND" ]; }; place = { at = "top-right"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; name = "letter-two-{id}.pdf"; };
  all : { when = "always"; place = { at = "bottom-right"; size = [ "50mm", "20mm" ]; }; seal = "stamp"; };'
FOLDER_RULES='"second", "all"'
FOLDER_EXTRA='separator = { patch = [ "T" ]; barcode = "^SEP-"; }; ticket = "optional"; duplicates = "hold";'
room_settings
stack() { "$TOOLS/stack-scan" "$@"; }
FIRST="text:FIRST LETTER 1001" SECOND="text:SECOND LETTER 2002" MORE="text:MORE OF IT 2003" THIRD="text:THIRD LETTER 3003"
# a blank back behind the second sheet, and another sheet at the end
stack "$W/Post.tif" "$FIRST" patch "$SECOND" "$MORE" patch blank "$THIRD" patch
stack "$W/Fax.pdf" "$FIRST" code:SEP-1 "$SECOND" "$MORE" code:SEP-2 "$THIRD"
stack "$W/two.pdf" "$FIRST" patch "$THIRD"
stack "$W/ticket.tif" "$FIRST" patch "$MORE"
echo attached >"$W/note.txt"
qpdf --add-attachment "$W/note.txt" -- "$W/two.pdf" "$W/attached.pdf" || bail "an attachment can be added"

like "$(cmd try --folder post "$W/Post.tif")" '^it would be divided into 3 documents: pages 1, 3-4, 7$' "try says that it would be divided, and where"
is "$(cmd --json try --folder post "$W/Fax.pdf" | jq -c '[.result.divide, .result.documents, .result.hold]')" '[3,[[1,1],[3,4],[6,6]],null]' \
    "for programs, too"
like "$(cmd try --folder post "$W/attached.pdf")" '^it would be held: stack-not-scanned: .* 2 documents' "and of one with an attachment that it would not"

drop "$W/Post.tif"
drop "$W/Fax.pdf"
drop "$W/attached.pdf"
echo '{ "v": 1, "reference": "R-1" }' >"$R/in/ticket.tif.ticket"
drop "$W/ticket.tif"
room_once --wait 60
is $? 0 "the daemon works until nothing is left to do" || daemon_said
D=$R/in/$DONE
# what the second one is called, its rule says: by its own number
SECONDS_ARE=$(cd "$D" && echo letter-two-*.pdf)
is "$(cd "$D" && printf '%s ' [A-Z]*)" "Fax-1.pdf Fax-3.pdf Post-1.pdf Post-3.pdf " "the documents are there, under names of their own"
is "$(wc -w <<<"$SECONDS_ARE")" 2 "or those of the rule that applies to them"
for f in "$D"/*.pdf; do
	judge_pdfsig "$f" && judge_qpdf "$f" && judge_ours "$f"
	ok $? "${f##*/}: pdfsig, qpdf and our own verifier are content" || note "$(cat "$W/verify.out")"
done
is "$(for n in Post-1 Post-3 Fax-1 Fax-3; do text_of "$D/$n.pdf" | grep -oE '(FIRST|SECOND|THIRD) LETTER' | tr '\n' ' '; done)" \
    "FIRST LETTER THIRD LETTER FIRST LETTER THIRD LETTER " "each has its own words"

# From each archived job to its stack, with jq and sha256sum alone.
A=$R/archive
stack_of() { jq -r 'select(.stack) | .stack.job' "$1/job.json"; }
cat >"$W/images.py" <<'PY'
# images.py STACK ORIGINAL.pdf SEALED.pdf FIRST LAST: are the images of these pages there, and are they those of the stack?
import glob, re, struct, subprocess, sys, tempfile
stack, original, sealed, first, last = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
data = open(stack, "rb").read()
def strips():
    at = struct.unpack_from("<I", data, 4)[0]
    while at:
        n = struct.unpack_from("<H", data, at)[0]
        tags = {t[0]: t[3] for t in struct.iter_unpack("<HHII", data[at + 2:at + 2 + 12 * n])}
        yield data[tags[273]:tags[273] + tags[279]]
        at = struct.unpack_from("<I", data, at + 2 + 12 * n)[0]
def pixels(pdf):
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["pdfimages", pdf, d + "/i"], check=True)
        return [open(p, "rb").read().split(b"\n", 2)[2] for p in sorted(glob.glob(d + "/i*.pbm"))]
if stack.endswith(".tif"):
    want = list(strips())[first - 1:last]
    # the seal's own picture has other pixels, if it has any
    ok = pixels(original) == want and [p for p in pixels(sealed) if p in want] == want
else:
    want = re.findall(rb"/Subtype/Image.*?stream\n(.*?)\nendstream", data, re.S)[first - 1:last]
    ok = len(want) == last - first + 1 and all(w in open(p, "rb").read() for p in (original, sealed) for w in want)
print("same" if ok else "other")
PY
for job in "$A"/20*/*/*/*/; do
	stack=$(stack_of "$job")
	[ -n "$stack" ] || continue
	home=$(echo "$A"/20*/*/*/"$stack") some=$job
	name=$(jq -r .source.name "$job/job.json")
	read -r first last < <(jq -r '"\(.stack.first) \(.stack.last)"' "$job/job.json")
	is "$(jq -r --arg j "$(basename "$job")" '.parts[] | select(.job == $j) | "\(.name) \(.first) \(.last) \(.sha256)"' "$home/job.json")" \
	    "$name $first $last $(sha "$job/original.pdf")" "$name is what its stack lists"
	is "$(python3 "$W/images.py" "$(echo "$home"/original.*)" "$job/original.pdf" "$job/sealed.pdf" "$first" "$last")" same \
	    "and has the images of the stack, bit for bit"
done
is "$(python3 "$W/images.py" "$W/Post.tif" "$some/original.pdf" "$some/sealed.pdf" 2 2), $(python3 "$W/images.py" "$W/Fax.pdf" "$some/original.pdf" "$some/sealed.pdf" 2 2)" \
    "other, other" "of other pages it would not be said"
is "$(sha "$(grep -l '"name": "Post.tif"' "$A"/20*/*/*/*/job.json | xargs dirname)/original.tif")" "$(sha "$W/Post.tif")" "a stack is archived as it came"
is "$(cat "$A"/20*/*/*/*/parts-sha256.txt | wc -l)" 6 "two stacks list three documents each"
(cd "$A" && cat 20*/*/*/*/parts-sha256.txt | sha256sum -c --quiet)
ok $? "sha256sum finds them"
is "$(jq -c '[.outside, .pages]' "$(grep -l '"name": "Post.tif"' "$A"/20*/*/*/*/job.json)" | tr -d ' ')" '[[2,5,6,8],8]' "sheets and a blank back belong to none"
"$TOOLS/logread" "$A" >"$W/log"
is "$(grep -c '^type divide' "$W/log"), $(grep -c '^text 3 documents' "$W/log")" "2, 2" "the log has both stacks"
is "$(sed -n 's/^source .* sha256:\([0-9a-f]*\) .*/\1/p' "$W/log" | sort -u | grep -cFf <(cut -c1-64 "$A"/20*/*/*/*/parts-sha256.txt))" 6 \
    "and entries about the bytes of each document"
cmd audit "$A" >"$W/audit"
is $? 0 "the archive is proven" || note "$(cat "$W/audit")"
like "$(cat "$W/audit")" '^2 stacks were divided' "and the audit knows of the stacks"
sed -n '/^#!\/bin\/sh/,/^# end of check/p' "$A/README.txt" >"$W/check.sh"
(cd "$A" && sh "$W/check.sh" >"$W/check.out" 2>&1)
ok $? "by the script of README.txt, too" || note "$(cat "$W/check.out")"

# Held, with the reason.
H=$R/in/$HELD
[ -f "$H/attached.pdf" ] && [ -f "$H/ticket.tif" ]
ok $? "an attachment or a ticket: held, whole"
like "$(cat "$H/attached.pdf.txt")" 'This PDF holds 2 documents' "it is said why, of the one"
like "$(tr '\r\n' '  ' <"$H/ticket.tif.txt" | tr -s ' ')" 'a ticket is about one document' "and of the other"
is "$(grep -cE '^reason stack-(not-scanned|with-ticket)' "$W/log")" 2 "the log has the reasons"

# The same stack again; and what a person sees of one that was divided.
drop "$W/Fax.pdf"
room_start
wait_for 30 test -f "$H/Fax.pdf"
ok $? "the same stack again is a duplicate, as a whole" || daemon_said
divided=$(jq -r 'select(.parts) | .id' "$A"/20*/*/*/*/job.json | head -n 1)
like "$(cmd jobs "$divided")" '^now:      divided into its documents' "jobs says of a stack that it is divided"
is "$(cmd --json jobs "$divided" | jq -c '[.divided, .sealed, (.entries | map(.type))]')" '[true,false,["divide"]]' "for programs, too"
! cmd void "$divided" --reason test >"$W/void" 2>&1
ok $? "there is no seal to be declared void" || note "$(cat "$W/void")"
room_stop
is $? 0 "the daemon ends"

# Tampering: with a document of a stack, and with the stack's list.
cp -a "$A" "$W/bent"
part=$(cut -c67- "$A"/20*/*/*/*/parts-sha256.txt | head -n 1)
chmod u+w "$W/bent/$part" && printf X >>"$W/bent/$part"
cmd audit "$W/bent" >"$W/audit"
is $? 1 "a document of a stack that was changed in the archive is noticed"
rm -rf "$W/bent" && cp -a "$A" "$W/bent"
list=$(cd "$A" && ls 20*/*/*/*/parts-sha256.txt | head -n 1)
chmod -R u+w "$W/bent/${list%/*}" && sed -i '1d' "$W/bent/$list"
cmd audit "$W/bent" >"$W/audit"
is $? 1 "and so is a list that lacks one"

# A stack that is not to be divided; one that nobody divides is one document after a person said so.
FOLDER_EXTRA='separator = { patch = [ "T" ]; stack = "hold"; };'
room_settings
stack "$W/whole.tif" "$THIRD" patch "$FIRST"
like "$(cmd try --folder post "$W/whole.tif")" '^it would be held: several-documents' "stack = hold: try says that it would be held"
drop "$W/whole.tif"
room_once --wait 60
is $? 0 "it is taken" || daemon_said
like "$(cat "$H/whole.tif.txt" 2>/dev/null)" 'This stack holds 2 documents' "and held"
[ ! -e "$D/whole-1.pdf" ]
ok $? "and not divided"
finish
