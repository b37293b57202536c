#!/usr/bin/env bash
# Tries reprise on several servers: for each image the conformance table on a
# single one, and the tests that run on real servers. A table at the end says
# what passed. Needs a Docker engine on this machine, and the images, there or
# in a registry's reach:
#
#	make matrix IMAGES="redis:7.4 redis:8.0 valkey/valkey:8.1"
#
# An image has redis-server and redis-cli, or valkey-server and valkey-cli, and a
# shell. The tests form clusters that need Redis 7.0; an older server gets the
# conformance table alone.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "matrix: $*" >&2; exit 2; }
[ $# -gt 0 ] || die 'no images: make matrix IMAGES="redis:7.0.15 valkey/valkey:8.1"'

logs=$(mktemp -d)
server= # the container that conformance is walked on
stop() {
	[ -z "$server" ] || docker rm --force --volumes "$server" >/dev/null
	server=
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start runs the image's server on a free port of loopback.
start() {
	server=$(docker run --detach --label reprise.group=matrix --publish 127.0.0.1::6379 --entrypoint sh "$1" -c '
		exec "$(command -v redis-server || command -v valkey-server)" --protected-mode no --save "" --maxmemory-policy noeviction') ||
		return 1
	local end=$((SECONDS + 30))
	until ask ping 2>/dev/null | grep -q PONG; do
		if ((SECONDS >= end)); then
			docker logs "$server" >&2
			return 1
		fi
		sleep 0.2
	done
}
ask() { docker exec "$server" sh -c 'exec "$(command -v redis-cli || command -v valkey-cli)" "$@"' sh "$@"; }
says() { ask info server | tr -d '\r' | sed -n "s/^$1://p"; }

# on IMAGE LOG COMMAND...: pass, or FAIL and where to read more.
on() {
	local image=$1 log=$2
	echo "matrix: $image: ${*:3}"
	if REDIS_IMAGE=$image REPRISE_REQUIRE_DOCKER=1 "${@:3}" 2>&1 | tee "$log"; then
		verdict=pass
	else
		verdict=FAIL failed=1
	fi
}

failed='' table=''
for image in "$@"; do
	began=$SECONDS name='' tests='not run' conformance='not run'
	log=$logs/${image//[\/:]/-}
	if ! integration/image.sh "$image" || ! start "$image"; then
		name='no server' failed=1
		stop
	else
		name="$(says server_name) $(says valkey_version)"
		[ "$name" != ' ' ] || name="redis $(says redis_version)"
		major=$(says redis_version)
		major=${major%%.*}
		url=redis://$(docker port "$server" 6379/tcp | head -n 1)
		on "$image" "$log-conformance.log" env REPRISE_REDIS_URL="$url" make --no-print-directory conformance
		conformance=$verdict
		stop
		if ((major >= 7)); then
			on "$image" "$log-tests.log" integration/test.sh cluster
			tests=$verdict
		else
			tests='needs 7.0'
		fi
	fi
	table+=$(printf '%-28s  %-16s  %-10s  %-11s  %4d s' "$image" "$name" "$tests" "$conformance" $((SECONDS - began)))$'\n'
done

printf '%-28s  %-16s  %-10s  %-11s  %6s\n%s' image server tests conformance time "$table"
if [ -n "$failed" ]; then
	echo "matrix: FAILED; what was said is in $logs"
	exit 1
fi
rm -rf "$logs"
echo "matrix: $# of $# images pass"
