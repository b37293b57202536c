#!/bin/sh
# Makes sure the Redis image of the tests and of docker-compose.yml is there:
# present already, or pulled, or, where no registry can be reached, built from
# Debian's own Redis package, with debootstrap, which is installed where that
# may be. If all that fails, its last line says why, and what would help.
#
#	REDIS_IMAGE=redis:7.0.15 integration/redis-image.sh
set -eu

image=${REDIS_IMAGE:-redis:7.0.15}

# What Debian 12 packages, and so the only image that can be built here under
# an honest tag.
suite=bookworm
packaged=redis:7.0.15

say() { printf 'redis-image: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# bounded SECONDS COMMAND... (macOS has no timeout command; there docker's own bounds have to do.)
bounded() { if command -v timeout >/dev/null; then timeout "$@"; else shift && "$@"; fi; }

command -v docker >/dev/null || die "no docker command: install Docker (on Debian: apt-get install docker.io)"
bounded 30 docker version >/dev/null 2>&1 || die "no Docker engine answers: start one, or point DOCKER_HOST at one"

docker image inspect "$image" >/dev/null 2>&1 && exit 0

say "pulling $image"
pull_error=$(bounded 180 docker pull --quiet "$image" 2>&1 >/dev/null) && exit 0
say "could not pull it: ${pull_error:-no answer in time}"

# unable REASON: what would help is always the same.
unable() { die "no image $image, which could not be pulled, and $1; load it with 'docker load', or let Docker reach a registry"; }

[ "$image" = "$packaged" ] || unable "only $packaged can be built without a registry"
[ "$(id -u)" = 0 ] || unable "building it from Debian packages needs root"
if ! command -v debootstrap >/dev/null; then
	command -v apt-get >/dev/null || unable "building it needs debootstrap, which is not installed, and there is no apt-get to do so"
	say "installing debootstrap"
	# The keyring is what other systems than Debian lack.
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap debian-archive-keyring; } >/dev/null 2>&1 ||
		unable "building it needs debootstrap, which apt-get could not install"
fi

say "building $image from Debian $suite (about half a minute)"
work=$(mktemp -d)
# Interrupted, debootstrap can leave its proc mounted in there.
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

root=$work/root
debootstrap --variant=minbase --include=redis-server,redis-tools "$suite" "$root" >"$work/log" 2>&1 || {
	tail -n 20 "$work/log" >&2
	unable "debootstrap failed"
}

# The tag is a promise; Debian's package has to keep it.
version=$(chroot "$root" redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')
[ "redis:$version" = "$packaged" ] || unable "Debian $suite packages Redis $version now"

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
mkdir -p "$root/data"
tar -C "$root" -c . | docker import \
	--change 'CMD ["redis-server", "--protected-mode", "no"]' \
	--change 'EXPOSE 6379' \
	--change 'WORKDIR /data' \
	- "$image" >/dev/null
say "built $image"
