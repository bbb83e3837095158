#!/bin/bash
# The injector proves itself: a program with ten known durable calls is counted,
# killed before and behind each, and made to fail at each.
. "$(dirname "$0")/../lib.sh"
need_program tests/tracer tests/known

tracer=$BIN/tests/tracer
known=$BIN/tests/known

fresh() { rm -rf "$W/x"; mkdir "$W/x"; }
state() { (cd "$W/x" && find . -type f -size +0c -o -type f -o -type d | sort | tr '\n' ' '); }
field() { sed -n "s/^$1 //p" "$W/result"; }

fresh
"$tracer" -r "$W/x" -l "$W/log" -o "$W/result" -- "$known" "$W/x"
is $? 0 "a traced program ends as it would alone"
is "$(field calls)" 10 "ten durable calls are counted over two processes"
is "$(cut -f4 "$W/log" | tr '\n' ' ')" \
    "mkdir openat write fsync openat:unnamed pwrite64 linkat renameat unlinkat fsync " "and named in order"
is "$(awk -F'\t' '$4 == "write" { print $5, $6 }' "$W/log")" "10 $W/x/d/a" "with result and path, also of a process that is not dumpable"
is "$(awk -F'\t' '$4 == "renameat" { print $6, $7 }' "$W/log")" "$W/x/d/b $W/x/d/c" "and both names of a rename"
"$tracer" -r "$W" -c other -o "$W/result" -- "$known" "$W/x" >"$W/out"
is "$(field calls)" 0 "a process of another name is not counted"

# Files there before call k, and behind it.
want=(x ". " ". ./d " ". ./d ./d/a " ". ./d ./d/a " ". ./d ./d/a " ". ./d ./d/a " ". ./d ./d/a " \
    ". ./d ./d/a ./d/b " ". ./d ./d/a ./d/c " ". ./d ./d/c " ". ./d ./d/c ")
before=0 after=0 failed=0
for k in 1 2 3 4 5 6 7 8 9 10; do
	fresh
	"$tracer" -r "$W/x" -m before -k $k -o "$W/result" -- "$known" "$W/x"
	[ $? = 99 ] && [ "$(state)" = "${want[$k]}" ] && before=$((before + 1))
	fresh
	"$tracer" -r "$W/x" -m after -k $k -o "$W/result" -- "$known" "$W/x"
	[ $? = 99 ] && [ "$(state)" = "${want[$((k + 1))]}" ] && after=$((after + 1))
	fresh
	"$tracer" -r "$W/x" -m error -e EIO -k $k -o "$W/result" -- "$known" "$W/x" >"$W/out"
	[ $? = 3 ] && grep -q ": Input/output error" "$W/out" && [ "$(state)" = "${want[$k]}" ] &&
		failed=$((failed + 1))
done
is $before 10 "each of the calls can be the one the tree dies before"
is $after 10 "each of the calls can be the last one that happened"
is $failed 10 "each of the calls can fail, and then has done nothing"

fresh
"$tracer" -r "$W/x" -m error -e ENOSPC -k 4 -o "$W/result" -- "$known" "$W/x" >"$W/out"
is "$? $(cat "$W/out")" "0 " "a full disk does not refuse a sync"
fresh
"$tracer" -r "$W/x" -m error -e ENOSPC -k 4 -n 0 -o "$W/result" -- "$known" "$W/x" >"$W/out"
is "$? $(cat "$W/out")" "3 failed 2: No space left on device" "but what comes next and needs space"
fresh
"$tracer" -r "$W/x" -m short -k 3 -l "$W/log" -o "$W/result" -- "$known" "$W/x"
is "$(awk -F'\t' '$1 == 3 { print $5 }' "$W/log")" 5 "a write can be cut short"
is "$(awk -F'\t' '$4 == "fsync" { print $8, $9 }' "$W/log" | tr '\n' ' ')" "1/d/a 1 1/d 1 " "calls have a shape and their number of it"
fresh
"$tracer" -r "$W/x" -m error -a fsync -s 1/d -k 1 -o "$W/result" -- "$known" "$W/x" >"$W/out"
is "$? $(cat "$W/out") $(field call)" "3 failed 7: Input/output error fsync $W/x/d" "and are found by it"
fresh
"$tracer" -r "$W/x" -m error -a fsync -s 1/d -k 2 -o "$W/result" -- "$known" "$W/x" >"$W/out"
is "$? $(field hit)" "0 0" "a second one of a shape that came once is not found"
mkdir "$W/x/7-0a1aaaaaaaaaaaaaaaaaaaaaa7-b2"
"$tracer" -r "$W/x" -l "$W/log" -- "$known" "$W/x/7-0a1aaaaaaaaaaaaaaaaaaaaaa7-b2"
is "$(cut -f8 "$W/log" | head -n 1)" "1/#-@-b#/d" "numbers and ids are no part of a shape"
fresh
"$tracer" -r "$W/x" -m before -k 11 -o "$W/result" -- "$known" "$W/x"
is "$? $(field hit)" "0 0" "a call that never comes is said not to have come"
finish
