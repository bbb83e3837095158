#!/bin/bash
# unroot.sh [-w DIRECTORY]... COMMAND [ARGUMENT...]: run a command as an ordinary user.
#
# Nothing of sealroom runs as root.  Started as an ordinary user this is just
# exec.  Started as root it takes an unprivileged uid, gives it a directory of
# its own (TMPDIR, /tmp or /var/tmp: the first where it can create and execute),
# and runs the command there with TMPDIR and HOME set to it.  -w: a directory,
# relative to the top of the project, that the command shall be able to fill.
#
# SEALROOM_FOREIGN and SEALROOM_FUSE tell the command of a file that is root's, and
# of a /dev/fuse that it may open.
#
# When that uid can not reach the project or the programs (a checkout below
# /root), both are copied into its directory first, and what it wrote to the
# -w directories is copied back.
set -u
cd "$(dirname "$0")/.." || exit 70
top=$PWD
: "${O:=build}"
case $O in /*) build=$O ;; *) build=$top/$O ;; esac

writable=()
while [ "${1-}" = -w ]; do
	writable+=("$2")
	shift 2
done
if [ "$(id -u)" != 0 ]; then
	for w in "${writable[@]}"; do mkdir -p "$w" || exit 73; done
	export SEALROOM_BIN=$build
	exec "$@"
fi

as() { setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs "$@"; }
die() { echo "unroot: $*" >&2; exit 69; }
absolute() { case $1 in /*) echo "$1" ;; *) echo "$top/$1" ;; esac; }

uid=
for u in 65534 1000 12345; do
	uid=$u
	as true 2>/dev/null && break
	uid=
done
[ -n "$uid" ] || die "no unprivileged uid can be taken here"

dir=
for t in "${TMPDIR-}" /tmp /var/tmp; do
	dir=$(mktemp -d "${t:-/nowhere}/sealroom.XXXXXX" 2>/dev/null) || continue
	chown "$uid:$uid" "$dir" && chmod 700 "$dir"
	# shellcheck disable=SC2016
	as env D="$dir" sh -c 'printf "#!/bin/sh\n" >"$D/x" && chmod +x "$D/x" && "$D/x"' 2>/dev/null && break
	rm -rf "$dir"
	dir=
done
[ -n "$dir" ] || die "uid $uid finds no directory to work in: set TMPDIR"
rm -f "$dir/x"
# KEEP: a demo that goes on running needs its directory.
trap '[ -n "${KEEP-}" ] || rm -rf "$dir"' EXIT

at=$top out=
if ! as test -r "$top/tests/lib.sh" -a -x "$top/tests" -a -x "$build"; then
	at=$dir/project
	mkdir -p "$at"
	tar -C "$top" --exclude ./.git --exclude './build*' --exclude ./demo -cf - . | tar -C "$at" -xf -
	cp -a "$build" "$at/build.run"
	chown -R "$uid:$uid" "$at"
	build=$at/build.run out=$at/out
fi
for w in "${writable[@]}"; do
	[ "$at" = "$top" ] && p=$(absolute "$w") || p=$out/$(basename "$w")
	mkdir -p "$p" && chown -R "$uid:$uid" "${out:-$p}"
done
# What only root can make, for tests that say what they skip without it: a file of
# another user, and the device of file systems in user space where it is root's alone.
install -m 644 tests/data/scans/de-schief.tif "$dir/foreign.tif"
[ ! -c /dev/fuse ] || mknod -m 666 "$dir/fuse" c 10 229 2>/dev/null
cd "$at" || exit 70
as env SEALROOM_FOREIGN="$dir/foreign.tif" SEALROOM_FUSE="$dir/fuse" TMPDIR="$dir" HOME="$dir" SEALROOM_BIN="$build" OUT="$out" PATH="$PATH" "$@"
rc=$?
if [ "$at" != "$top" ]; then
	for w in "${writable[@]}"; do
		p=$(absolute "$w")
		mkdir -p "$p" && cp -a "$out/$(basename "$w")/." "$p/"
	done
	[ -z "${KEEP-}" ] || echo "unroot: left in $at" >&2
fi
exit $rc
