#!/usr/bin/env bash
# Makes sure that images of servers for the tests are there: present already, or
# pulled, or, where no registry can be reached, built from Debian's own packages,
# with debootstrap, which is installed where that may be. For each that can't be
# had, a line at the end says why, and what would help.
#
#	integration/image.sh [IMAGE...]    without one, REDIS_IMAGE, else redis:7.0.15
set -euo pipefail

[ $# -gt 0 ] || set -- "${REDIS_IMAGE:-redis:7.0.15}"

# What Debian 12 packages, and so what can be built here under an honest tag.
suite=bookworm
packaged='redis:7.0.15, postgres:15, mariadb:10.11 and prom/prometheus:v2.42.0'

# recipe IMAGE sets what the image is built of: packages, the command that prints
# the server's version, what to do in its root, and changes for docker import. A
# server runs as a user of its own, who is in the official images too, and finds
# its programs on the same PATH.
recipe() {
	path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin prepare=:
	case $1 in
	redis:7.0.15)
		packages=redis-server,redis-tools
		version='redis-server --version'
		prepare='mkdir -p /data'
		port=6379 dir=/data cmd='["redis-server", "--protected-mode", "no"]'
		;;
	postgres:15)
		packages=postgresql-15
		path=$path:/usr/lib/postgresql/15/bin
		version='postgres --version'
		prepare='rm -rf /var/lib/postgresql/15'
		port=5432 dir=/var/lib/postgresql cmd='["sh"]'
		;;
	mariadb:10.11)
		packages=mariadb-server-core,mariadb-client-core
		version='mariadbd --version'
		prepare='useradd --system --create-home --home-dir /var/lib/mysql mysql'
		port=3306 dir=/var/lib/mysql cmd='["sh"]'
		;;
	prom/prometheus:v2.42.0)
		packages=prometheus
		version='prometheus --version'
		port=9090 dir=/ cmd='["prometheus"]'
		;;
	*) return 1 ;;
	esac
}

say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# bounded SECONDS COMMAND... (macOS has no timeout command; there docker's own bounds have to do.)
bounded() { if command -v timeout >/dev/null; then timeout "$@"; else shift && "$@"; fi; }

command -v docker >/dev/null || die "no docker command: install Docker (on Debian: apt-get install docker.io)"
bounded 30 docker version >/dev/null 2>&1 || die "no Docker engine answers: start one, or point DOCKER_HOST at one"

lacks() { ! docker image inspect "$1" >/dev/null 2>&1; }

# pull IMAGE
pull() {
	say "pulling $1"
	pull_error=$(bounded 180 docker pull --quiet "$1" 2>&1 >/dev/null) && return
	say "could not pull $1: ${pull_error:-no answer in time}"
	return 1
}

# What an image needs of files: its root, and what is said of it.
root() { echo "$work/${1//[^[:alnum:].-]/_}"; }

# unable IMAGE REASON ends a subshell; what would help is always the same.
unable() {
	echo "no image $1, which could not be pulled, and $2; load it with 'docker load', or let Docker reach a registry" >"$(root "$1").unable"
	exit 1
}

# builder IMAGE makes sure that images can be built here, or says why one can't.
builder() {
	[ "$(id -u)" = 0 ] || unable "$1" "building it from Debian packages needs root"
	command -v debootstrap >/dev/null && return
	command -v apt-get >/dev/null || unable "$1" "building it needs debootstrap, which is not installed, and there is no apt-get to do so"
	say "installing debootstrap"
	# The keyring is what other systems than Debian lack.
	{ apt-get -o Acquire::Retries=3 update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq debootstrap debian-archive-keyring; } >/dev/null 2>&1 ||
		unable "$1" "building it needs debootstrap, which apt-get could not install"
}

# build IMAGE
build() {
	recipe "$1"
	say "building $1 from Debian $suite (about a minute)"
	local root log found promised=${1#*:}
	promised=${promised#v}
	root=$(root "$1") log=$root.log
	debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		unable "$1" "debootstrap failed"
	}

	# The tag is a promise; Debian's package has to keep it.
	found=$(chroot "$root" env PATH="$path" $version | sed -nE '1s/^[^0-9]*([0-9]+(\.[0-9]+)*).*/\1/p')
	[[ $found == "$promised" || $found == "$promised".* ]] || unable "$1" "Debian $suite packages version $found now"

	chroot "$root" sh -c "$prepare"
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
	tar -C "$root" -c . | docker import \
		--change "ENV PATH=$path" \
		--change "CMD $cmd" \
		--change "EXPOSE $port" \
		--change "WORKDIR $dir" \
		- "$1" >/dev/null
	say "built $1"
}

work=$(mktemp -d)
set -m # each background job is a process group, so that an interrupt can end all of it
# Interrupted, debootstrap can leave its proc mounted in there.
trap 'kill -- $(jobs -pr | sed s/^/-/) 2>/dev/null || :; wait; rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# at_once COMMAND IMAGE... runs it for each image that is lacking.
at_once() {
	local image
	for image in "${@:2}"; do
		! lacks "$image" || ("$1" "$image") </dev/null &
	done
	wait
}

# What can be pulled is; of the rest, what can be built is.
at_once pull "$@"
buildable=
for image in "$@"; do
	lacks "$image" || continue
	(recipe "$image" || unable "$image" "only $packaged can be built without a registry") || continue
	(builder "$image") || continue
	buildable+=" $image"
done
at_once build $buildable

failed=
for image in "$@"; do
	lacks "$image" || continue
	failed=1
	say "$(cat "$(root "$image").unable" 2>/dev/null || echo "no image $image: building it failed")"
done
[ -z "$failed" ]
