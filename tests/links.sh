#!/bin/bash
# Who holds a key links no decoder; who decodes links no PKCS#11 and no TLS.
. "$(dirname "$0")/lib.sh"
need ldd nm readelf

DECODERS='libtesseract|libleptonica|liblept|libqpdf|libtiff|libjpeg|libpng|libpoppler|libmupdf|libwebp|libopenjp2|libgif|libjbig|libfreetype|libharfbuzz|libfribidi|libqrencode|libzbar'
direct() { readelf -dW "$BIN/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
all_of() { ldd "$BIN/$1" 2>/dev/null | awk '{ print $1 }'; }
none() { # program, libraries, sentence
	[ -x "$BIN/$1" ] || { ok 1 "$1 is built"; return; }
	is "$(all_of "$1" | grep -E "^($2)" | tr '\n' ' ')" "" "$1 $3"
}
undefined() { nm -D -u "$BIN/$1" 2>/dev/null | awk '{ sub(/@.*/, "", $NF); print $NF }'; }
calls_none() { # program, names, sentence
	is "$(undefined "$1" | grep -xE "$2" | sort -u | tr '\n' ' ')" "" "$1 $3"
}

none sealroom-seal "$DECODERS|libssl" "links no decoder and no TLS"
none sealroomd "$DECODERS|libp11|libssl|libp11-kit" "links no decoder, no PKCS#11, no TLS"
none sealroom "$DECODERS|libp11|libssl|libp11-kit" "links no decoder, no PKCS#11, no TLS"
none sealroom-verify "$DECODERS|libp11|libssl" "links no decoder of documents, no PKCS#11, no TLS"
none sealroom-fetch "$DECODERS|libp11" "links no decoder and no PKCS#11"
# What Tesseract brings for reading from the web (libcurl) no line of ours reaches.
is "$(direct sealroom-scan | grep -E '^(libp11|libssl|libcurl)')" "" "sealroom-scan asks for no PKCS#11 and no TLS"
calls_none sealroom-scan '(SSL|TLS|BIO|curl|C_|PKCS11)_[A-Za-z0-9_]*|connect|getaddrinfo' "calls nothing of a network"

# DER from outside is parsed in verify alone.
DER='d2i_(CMS|TS|OCSP|X509|PKCS7|ASN1)[A-Za-z0-9_]*|PEM_read[A-Za-z0-9_]*|CMS_verify|TS_RESP_verify[a-z_]*'
calls_none sealroomd "$DER" "parses no DER"
calls_none sealroom-scan "$DER" "parses no DER"
calls_none sealroomd 'dlopen|dlmopen' "loads no module"
calls_none sealroom-verify 'dlopen|connect|getaddrinfo' "neither loads modules nor connects"
calls_none sealroom-fetch 'd2i_TS[A-Za-z0-9_]*|d2i_CMS[A-Za-z0-9_]*|TS_RESP_verify[a-z_]*|dlopen' "judges no time stamp"
calls_none sealroom-seal 'getaddrinfo|d2i_TS[A-Za-z0-9_]*|d2i_CMS[A-Za-z0-9_]*' "looks up no host and parses no CMS or tokens"
for p in sealroomd sealroom-scan sealroom-seal sealroom-verify sealroom-fetch sealroom; do
	calls_none $p 'system|popen|execlp|execvp|posix_spawnp|gets|strcat|sprintf|mktemp' "starts no shell and uses no unbounded string function"
done
# The checks are able to fail.
like "$(all_of sealroom-scan)" "^($DECODERS)" "the list of decoders matches where they are"
like "$(direct sealroom-seal)" "libp11" "libp11 is where the keys are"
like "$(undefined sealroom-verify)" "^d2i_" "the list of DER readers matches where they are"
finish
