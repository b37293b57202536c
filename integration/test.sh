#!/usr/bin/env bash
# All tests, step by step, each announced with what is yet to come; or some:
#
#	make test
#	make test-quick     those that need no Docker, without the race detector, which
#	                    takes several times as long
#	make test-cluster   those that need servers in containers
#	make test-lock      those of one package of the library, here lock
#
# It does its own set-up. Where there can be no servers in containers, all that
# needs none runs, and the closing line says what did not, and why; with
# REPRISE_REQUIRE_DOCKER=1 that is a failure, and the first thing to fail. Where
# they can be, no test may skip for want of one. The race detector needs a C
# compiler; a machine without one still gets its tests, and the closing line says
# what they were worth.
set -euo pipefail
cd "$(dirname "$0")/.."
export REDIS_IMAGE=${REDIS_IMAGE:-redis:7.0.15}
export POSTGRES_IMAGE=${POSTGRES_IMAGE:-postgres:15} MARIADB_IMAGE=${MARIADB_IMAGE:-mariadb:10.11}
target=test${1:+-$1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The packages that people import. What tests one of them is beside its code and,
# for most of them, in a folder of the same name in integration. Together they
# have to cover this share of its statements, in percent.
library=(lock cache replay dialect httpadapter httpclient grpcadapter effect reprisetest telemetry)
least=90

# Go turns cgo off where it finds no C compiler.
race=-race without=''
if [ "$target" = test-quick ]; then
	race=
elif [ "$(go env CGO_ENABLED)" != 1 ]; then
	race='' without='; WITHOUT the race detector (no C compiler: on Debian, apt-get install gcc)'
fi

elapsed() { printf '%dm%02ds' $((SECONDS / 60)) $((SECONDS % 60)); }

# run STEP: one of those named here, a package of integration, or one of the library.
run() {
	case $1 in
	images)       images ;;
	vet)          go vet $race ./... ./grpcadapter/... ./reprisetest/... ./telemetry/... ./cmd/reprise/... ./examples/... ./integration/... ;;
	sim)          make --no-print-directory sim ;;
	internal)     gotest 5m $internal ;;
	cmd)          gotest 5m ./cmd/reprise/... ;;
	examples)     gotest 5m ./examples/... ;;
	# Its clusters take long to form, and no processor.
	integration/reprise) gotest 15m -parallel 6 "./$1" ;;
	integration*) gotest 15m "./$1" ;;
	*)            covered "$1" ;;
	esac
}
gotest() { go test $race -shuffle=on -count=1 -timeout "$@"; }

# covered PACKAGE tests a package of the library, and says how much of it that covers.
covered() {
	local tests=("./$1/...") share
	[ ! -d "integration/$1" ] || tests+=("./integration/$1")
	gotest 15m -coverpkg="./$1/..." -coverprofile="$work/$1" "${tests[@]}" || return
	share=$(go tool cover -func="$work/$1" | awk '/^total:/ { print $NF + 0 }')
	echo "$target: the tests of $1 cover $share% of its statements"
	awk "BEGIN { exit !($share >= $least) }" || { echo "$target: $least% of $1 must be covered" >&2; return 1; }
}

# images has the servers' images there, or the reason why one isn't.
reason=
images() {
	local said
	if said=$(integration/image.sh "$REDIS_IMAGE" "$POSTGRES_IMAGE" "$MARIADB_IMAGE" 2>&1 | tee >(cat >&2)); then
		export REPRISE_REQUIRE_DOCKER=1
		return
	fi
	reason=${said##*image: }
	if [ "${REPRISE_REQUIRE_DOCKER:-}" = 1 ]; then
		echo "$target: REPRISE_REQUIRE_DOCKER=1, but $reason" >&2
		return 1
	fi
}

# either PACKAGE... joins them to a pattern for grep.
either() { local IFS='|'; echo "($*)"; }

# packages of integration that have tests, other than the library's: those that
# start servers in containers, or the rest.
packages() {
	local line='{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}} {{end}}'
	go list -f "$line" ./integration/... | grep "$@" '/integration/cluster ' |
		sed 's|^github.com/reprise-go/reprise/||; s| .*||' | grep -vxE "integration/$(either "${library[@]}")"
}

# In variables, so that a list that could not be made ends it all.
internal=$(go list ./... | grep -vxE "github.com/reprise-go/reprise/$(either "${library[@]}")")
plain=$(packages -v)
docker=$(packages)
case $target in
test)         steps=(images vet internal "${library[@]}" cmd examples $plain $docker sim) ;;
test-quick)   steps=(vet internal "${library[@]}" cmd examples $plain)
	export REPRISE_REQUIRE_DOCKER=0
	;;
test-effect)  steps=(images effect) ;;
test-cluster) steps=(images $docker) REPRISE_REQUIRE_DOCKER=1 ;;
*)
	[[ ${1:-} =~ ^$(either "${library[@]}")$ ]] || { echo "usage: $0 [quick|cluster|${library[*]}]" >&2; exit 2; }
	steps=("$1")
	;;
esac

if [[ ${steps[*]} == *integration/local* ]] && ! command -v redis-server >/dev/null; then
	without+='; NOT RUN: the tests on a redis-server of this machine (none is installed: on Debian, apt-get install redis-server)'
fi
if [[ ${steps[*]} == *integration/board* ]] && ! command -v chromium chromium-browser google-chrome >/dev/null; then
	without+='; NOT RUN: the tests of the board in a browser (none is installed: on Debian, apt-get install chromium)'
fi

if [[ " ${steps[*]} " == *" telemetry "* ]] && ! command -v prometheus >/dev/null; then
	without+='; NOT RUN: the dashboard and the alerts on a Prometheus of this machine (none is installed: on Debian, apt-get install prometheus)'
fi

total=${#steps[@]}
for ((i = 0; i < total; i++)); do
	then=${steps[*]:i+1}
	at="$((i + 1))/$total ${steps[i]}"
	echo "$target: $at … ($(elapsed) so far${then:+; then ${then// /, }})"
	run "${steps[i]}" || {
		echo "$target: FAILED at $at after $(elapsed)${then:+; NOT RUN: ${then// /, }}" >&2
		exit 1
	}
done

servers=
if [ "$target" = test-quick ]; then
	servers='; NOT RUN: the race detector, the tests on servers in containers and the long simulation (make test has them)'
elif [ -n "$reason" ]; then
	servers="; NOT RUN: the tests on servers in containers ($reason)"
elif [ "$target" = test-effect ]; then
	servers="; on a real PostgreSQL ($POSTGRES_IMAGE) and MariaDB ($MARIADB_IMAGE), and SQLite"
elif [ "${steps[0]}" = images ]; then
	servers="; integration ran on a real Redis Cluster ($REDIS_IMAGE), PostgreSQL ($POSTGRES_IMAGE) and MariaDB ($MARIADB_IMAGE)"
fi
echo "$target: passed in $(elapsed)$servers$without"
