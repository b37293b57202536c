#!/bin/sh
# Makes sure the Redis image of the tests and of docker-compose.yml is there:
# present already, or pulled, or, where no registry can be reached, built from
# Debian's own Redis package.
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

command -v docker >/dev/null || die "no docker command: install Docker (on Debian: apt-get install docker.io)"
docker version >/dev/null 2>&1 || die "no Docker engine answers: start one, or point DOCKER_HOST at one"

docker image inspect "$image" >/dev/null 2>&1 && exit 0

# macOS has no timeout command; there a pull is bounded by docker alone.
bounded() { if command -v timeout >/dev/null; then timeout 180 "$@"; else "$@"; fi; }

say "pulling $image"
pull_error=$(bounded docker pull --quiet "$image" 2>&1 >/dev/null) && exit 0
say "could not pull it: ${pull_error:-no answer in time}"

[ "$image" = "$packaged" ] || die "only $packaged can be built without a registry; load $image with 'docker load', or leave REDIS_IMAGE unset"
command -v debootstrap >/dev/null || die "to build it from Debian packages, install debootstrap (apt-get install debootstrap); or load $image with 'docker load'"
[ "$(id -u)" = 0 ] || die "building it from Debian packages needs root: run 'sudo $0' once; or load $image with 'docker load'"

say "building $image from Debian $suite (about half a minute)"
work=$(mktemp -d)
# Interrupted, debootstrap can leave its proc mounted in there.
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

root=$work/root
debootstrap --variant=minbase --include=redis-server,redis-tools "$suite" "$root" >"$work/log" 2>&1 || {
	tail -n 20 "$work/log" >&2
	die "debootstrap failed"
}

# The tag is a promise; Debian's package has to keep it.
version=$(chroot "$root" redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')
[ "redis:$version" = "$packaged" ] || die "Debian $suite packages Redis $version now, not ${packaged#redis:}"

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
mkdir -p "$root/data"
tar -C "$root" -c . | docker import \
	--change 'CMD ["redis-server", "--protected-mode", "no"]' \
	--change 'EXPOSE 6379' \
	--change 'WORKDIR /data' \
	- "$image" >/dev/null
say "built $image"
