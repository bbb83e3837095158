#!/bin/bash
# How well and how fast scans are read, against OCRmyPDF (turned, straightened, PDF/A, as many
# at once as there are cores), plain Tesseract processes, and recognition alone (b_bare).  One
# machine, one run; medians of BENCH_RUNS (3).  Ratios and bars; the exit status says only
# whether the figures could be taken.  OCR_ONLY="de-*" takes some documents only; OCR_WORN="1 2"
# takes pages of the corpus as bad scanners give them (tools/wear), for each of these seeds.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/figures.bash"
need python3 softhsm2-util openssl pdftotext pdftoppm tesseract ocrmypdf
need_program sealroomd sealroom tests/b_bare
CORPUS=$TOP/tests/data/corpus
RUNS=${BENCH_RUNS:-3} CORES=$(nproc) LANGUAGES=deu+eng
export OMP_THREAD_LIMIT=1

WORN_KINDS="light through noise specks dots border bands fax"
wear_pages() { # SEED...: another corpus
	local from=$CORPUS page stem name kind seed
	CORPUS=$W/worn
	mkdir -p "$CORPUS/docs" "$CORPUS/truth"
	head -n 1 "$from/KEYWORDS.tsv" >"$CORPUS/KEYWORDS.tsv"
	for page in de-brief-g4.tif en-letter-gray.tif de-rechnung.jpg en-invoice.png; do
		for kind in $WORN_KINDS; do
			for seed; do
				stem=${page%.*}
				name=${stem%-g4}.$kind-$seed
				/usr/bin/python3 "$TOOLS/wear" "$from/docs/$page" "$kind" "$seed" "$CORPUS/docs/$name.tif" || exit 70
				cp "$from/truth/$stem.p1.txt" "$CORPUS/truth/$name.p1.txt"
				printf '%s\t1\t%s\n' "$name.tif" "$kind" >>"$CORPUS/MANIFEST.tsv"
			done
		done
	done
}
# shellcheck disable=SC2086
[ -z "${OCR_WORN-}" ] || wear_pages $OCR_WORN

# A document that was born digital has its text: there is nothing to read.
docs=() pages=0
while IFS=$'\t' read -r name n kind _; do
	# shellcheck disable=SC2254
	case $name in ${OCR_ONLY:-*}) ;; *) continue ;; esac
	case $n$kind in pages* | *born-digital*) continue ;; esac
	docs+=("$name") pages=$((pages + n))
done <"$CORPUS/MANIFEST.tsv"
[ ${#docs[@]} -gt 0 ] || { echo "no such document" >&2; exit 64; }
echo "sealroom bench-ocr: ${#docs[@]} documents, $pages pages, $CORES cores, load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%Y-%m-%d)"

# --- the contenders ------------------------------------------------------------------------------
# Plain recognition reads no PDF: it gets the pages as pictures, and not on the clock.
mkdir "$W/images" "$W/ocrmypdf" "$W/tesseract" "$W/sealroom"
for d in "${docs[@]}"; do
	case $d in
	*.pdf) pdftoppm -r 300 -png "$CORPUS/docs/$d" "$W/images/${d%.pdf}" ;;
	*) cp "$CORPUS/docs/$d" "$W/images/" ;;
	esac
done
run_ocrmypdf() { # gives up where PATH names a directory that it may not look into
	# shellcheck disable=SC2016
	printf '%s\n' "${docs[@]}" | xargs -P "$CORES" -I{} sh -c 'PATH=/usr/bin:/bin ocrmypdf -q -j1 --rotate-pages --deskew --output-type pdfa -l "$1" \
	    "$2/docs/{}" "$3/ocrmypdf/{}.pdf" 2>>"$3/ocrmypdf.err" || echo "OCRmyPDF: {} failed" >&2' sh "$LANGUAGES" "$CORPUS" "$W"
}
run_tesseract() {
	# shellcheck disable=SC2016
	find "$W/images" -type f -printf '%f\n' | sort | xargs -P "$CORES" -I{} sh -c \
	    'tesseract "$2/images/{}" "$2/tesseract/{}" -l "$1" pdf >/dev/null 2>&1' sh "$LANGUAGES" "$W"
}
run_sealroom() { # number of the run
	local d had
	had=$(find "$R/in/$DONE" -name '*.pdf' 2>/dev/null | wc -l)
	for d in "${docs[@]}"; do cp "$CORPUS/docs/$d" "$R/in/.r$1-$d.part"; done
	for d in "${docs[@]}"; do mv "$R/in/.r$1-$d.part" "$R/in/r$1-$d"; done
	wait_for "${BENCH_PATIENCE:-900}" bash -c "[ \"\$(find '$R/in/$DONE' -name '*.pdf' | wc -l)\" -ge $((had + ${#docs[@]})) ]" ||
	    { find "$R/in" -mindepth 2 -name "r$1-*.txt" >&2; echo "not all documents were sealed" >&2; exit 70; }
}
room_new
SETTLE=50ms
EXTRA='max_jobs = 64;'
RULES='all : { when = "always"; place = "invisible"; seal = "stamp"; };' # a visible one would be read, too
room_settings
tsa_start
room_start
wait_for 60 ready || { tail -n 5 "$LOG" >&2; exit 70; }

declare -A took
clock() { # contender, command...
	local who=$1 t0
	shift
	t0=$(now)
	"$@"
	took[$who]+=" $(calc '%.2f' "$(now) - $t0")"
}
images=("$W/images"/*)
for run in $(seq "$RUNS"); do
	clock sealroom run_sealroom "$run"
	clock ocrmypdf run_ocrmypdf
	clock tesseract run_tesseract
	took[bare]+=" $("$BIN/tests/b_bare" "$CORES" "$LANGUAGES" "${images[@]}" | awk '{ print $4 }')"
done
room_stop
for d in "${docs[@]}"; do mv "$R/in/$DONE/r1-${d%.*}.pdf" "$W/sealroom/$d.pdf"; done

# --- text and bytes --------------------------------------------------------------------------------
"$TOOLS/ocr-score" "$CORPUS" "$W/sealroom" "${docs[@]}" >"$W/ours.tsv" || exit 70
"$TOOLS/ocr-score" "$CORPUS" "$W/ocrmypdf" "${docs[@]}" >"$W/theirs.tsv" || exit 70
size() { stat -c %s "$1" 2>/dev/null || echo 0; }
# The document before its seal, which is the revision behind it: OCRmyPDF's has none.
unsealed() { LC_ALL=C grep -abo '%%EOF' "$1" | sed -n '1s/:.*//p'; }
printf '%-24s %15s %15s %13s %13s %7s %33s\n' "" "CER %" "WER %" "lost %" "extra %" "kw" "kB: came, ours, sealed, OCRmyPDF"
while IFS=$'\t' read -r d cer wer lost extra kw _ tcer twer tlost textra _; do
	[ "$d" != document ] || continue
	if [ "$d" = all ]; then kb=""; else
		kb="$(($(size "$CORPUS/docs/$d") / 1000)) $(($(unsealed "$W/sealroom/$d.pdf") / 1000)) $(($(size "$W/sealroom/$d.pdf") / 1000)) $(($(size "$W/ocrmypdf/$d.pdf") / 1000))"
	fi
	printf '%-24s %7s %7s %7s %7s %6s %6s %6s %6s %7s %33s\n' "$d" "$cer" "$tcer" "$wer" "$twer" "$lost" "$tlost" "$extra" "$textra" "$kw" "$kb"
done < <(paste "$W/ours.tsv" <(cut -f2- "$W/theirs.tsv"))
echo "(each pair: sealroom, OCRmyPDF)"

worse() { paste "$W/ours.tsv" "$W/theirs.tsv" | awk -F'\t' -v c="$1" 'NR > 1 && $1 != "all" && $c > $(c + 7) { n++ } END { print n + 0 }'; }
total() { awk -F'\t' -v c="$1" '$1 == "all" { print $c }' "$2"; }
bar "documents read worse than by OCRmyPDF, by CER" "$(worse 2)" "<=" 0 ""
bar "documents read worse than by OCRmyPDF, by WER" "$(worse 3)" "<=" 0 ""
bar "CER of all, against OCRmyPDF's" "$(total 2 "$W/ours.tsv")" "<=" "$(total 2 "$W/theirs.tsv")" "%"
bar "words lost of all" "$(total 4 "$W/ours.tsv")" "<=" 2 "%"
bar "words too many of all" "$(total 5 "$W/ours.tsv")" "<=" 2 "%"
bar "keywords, largest distance of a side" "$(total 7 "$W/ours.tsv")" "<=" 3 "pt"
larger=0
for d in "${docs[@]}"; do
	case $d in *g4* | *jp*g*) ;; *) continue ;; esac
	[ "$(unsealed "$W/sealroom/$d.pdf")" -le "$(size "$W/ocrmypdf/$d.pdf")" ] || larger=$((larger + 1))
done
bar "G4 and JPEG documents larger than OCRmyPDF's, before the seal" "$larger" "<=" 0 ""

# --- speed ----------------------------------------------------------------------------------------------
declare -A half
for who in sealroom ocrmypdf tesseract bare; do
	# shellcheck disable=SC2086
	half[$who]=$(median ${took[$who]})
	printf '%-10s %s s: %s pages/min\n' "$who" "${took[$who]# }" "$(calc '%.1f' "$pages * 60 / ${half[$who]}")"
done
bar "pages/min, seal and log included, against OCRmyPDF" "$(calc '%.2f' "${half[ocrmypdf]} / ${half[sealroom]}")" ">=" 2.8 "x"
bar "against plain Tesseract processes" "$(calc '%.2f' "${half[tesseract]} / ${half[sealroom]}")" ">=" 1.05 "x"
bar "against recognition alone" "$(calc '%.1f' "100 * ${half[bare]} / ${half[sealroom]}")" ">=" 95 "%"
exit 0
