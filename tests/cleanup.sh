#!/bin/bash
# What is freed at the end of its scope is freed on every way out: a variable with
# the cleanup attribute must hold something before the first return behind it.
# gcc's -ftrivial-auto-var-init hides the mistake, clang's build frees a random pointer.
. "$(dirname "$0")/lib.sh"
need python3
cd "$TOP" || exit 70
# FILE...: prints each declaration that a return may leave as it was.
early() {
	python3 - "$@" <<-'PY'
	import re
	import sys

	for path in sys.argv[1:]:
	    text = open(path, encoding="utf-8").read()
	    for m in re.finditer(r"\n\t+AUTO_\w+\s+(?:struct \w+\s+|\w+\s+)?\**(\w+)\s*;", text):
	        body = text[m.end() : text.find("\n}", m.end())]
	        use = re.search(r"\b" + m.group(1) + r"\b", body)
	        if re.search(r"\breturn\b", body[: use.start() if use else len(body)]):
	            print(f"{path}:{text.count(chr(10), 0, m.start()) + 2}: {m.group(1)}")
	PY
}
mapfile -t files < <(find agent rules scan seal tests -name '*.[ch]')
[ ${#files[@]} -gt 200 ]
ok $? "${#files[@]} sources are looked at"
is "$(early "${files[@]}")" "" "no way out before a variable that is cleaned up holds something"
printf 'int\nf(int x)\n{\n\tAUTO_BUF b;\n\n\tif (x)\n\t\treturn 0;\n\tbuf_init(&b, 9);\n\treturn 1;\n}\n' >"$W/bad.c"
printf 'int\nf(int x)\n{\n\tAUTO_BUF b = { 0 };\n\n\tif (x)\n\t\treturn 0;\n\tbuf_init(&b, 9);\n\treturn 1;\n}\n' >"$W/good.c"
is "$(early "$W/bad.c")" "$W/bad.c:4: b" "and one that has such a way out is found"
is "$(early "$W/good.c")" "" "and its twin is not"
finish
