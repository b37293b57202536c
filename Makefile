# Needs Go and make, and Docker for what runs on a real Redis Cluster.

REDIS_IMAGE ?= redis:7.0.15
export REDIS_IMAGE

COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

# What this machine has; empty means no. Go turns cgo off where it finds no C
# compiler.
docker = $(shell docker version >/dev/null 2>&1 && echo yes)
cgo    = $(filter 1,$(shell go env CGO_ENABLED))

.PHONY: help
help:
	@echo 'make test          vet and test everything, on a real Redis Cluster where Docker is'
	@echo 'make sim           play 3000 made-up bad days on a fake clock, and check every promise'
	@echo 'make soak          the same, until stopped'
	@echo 'make mutants       break the rules one by one, and see that the simulation notices'
	@echo 'make chaos         break a real Redis Cluster under load, and print what was counted (Docker)'
	@echo 'make bench         measure against the naive composition and the floor (Docker)'
	@echo 'make conformance   walk the HTTP contracts against URL=, or examples/payments in all dialects or DIALECT='
	@echo 'make image         pull or build $(REDIS_IMAGE), if it is missing'
	@echo 'make cluster-up    a Redis Cluster on 127.0.0.1:7001 to 7006, for development'
	@echo 'make cluster-down  and away with it'

# The race detector needs a C compiler. A machine without one still gets its
# tests, and the closing line says what they were worth; so it does without
# Docker, unless REPRISE_REQUIRE_DOCKER=1 asks for a failure. Where Docker is, no
# test may skip for want of it. (vet builds as test does, so that all of it is
# compiled once.)
.PHONY: test
test: race     = $(if $(cgo),-race)
test: flags    = $(race) -shuffle=on -count=1
test: without  = $(if $(cgo),,; WITHOUT the race detector (no C compiler: on Debian, apt-get install gcc))
test: clusters = $(if $(docker),; integration ran on a real Redis Cluster ($(REDIS_IMAGE)),; NOT RUN: the Redis Cluster tests (no Docker engine answers: start one, or install one))
test:
	@$(if $(docker),integration/redis-image.sh)
	go vet $(race) ./... ./grpcadapter/... ./examples/... ./integration/...
	go test $(flags) -timeout 5m ./...
	go test $(flags) -timeout 5m ./grpcadapter/...
	go test $(flags) -timeout 5m ./examples/...
	$(if $(docker),REPRISE_REQUIRE_DOCKER=1) go test $(flags) -timeout 15m -p 1 ./integration/...
	@$(simulate) -schedules 3000
	@echo 'test: root, grpcadapter, examples and integration passed$(clusters)$(without)'

# Without the race detector, under which make test plays the first few hundred. The tests are built
# and run apart because go test keeps what a test that passes has to say to itself.
simulate = dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	go test -c -o "$$dir/sim" ./integration/sim && cd integration/sim && "$$dir/sim"

.PHONY: sim
sim:
	@$(simulate) -schedules 3000

.PHONY: soak
soak:
	@$(simulate) -test.timeout 0 -test.run TestSchedules -soak -stop -first $$(date +%s)

.PHONY: mutants
mutants:
	go run ./integration/sim/mutants

# In the package's directory, where go test shows the table of a test that passes, too. ARGS are
# further flags, such as -path or -header: see go test -args -help there.
.PHONY: conformance
conformance:
	@cd integration/conformance && go test -count=1 -run TestConformance -args \
		$(if $(URL),-url '$(URL)') $(if $(DIALECT),-dialect '$(DIALECT)') $(ARGS)

# Without the race detector and with more load: make test runs the same with less.
.PHONY: chaos
chaos: image
	REPRISE_REQUIRE_DOCKER=1 go test -count=1 -timeout 30m -v ./integration/chaos -args -keys 1000

.PHONY: image
image:
	@integration/redis-image.sh

.PHONY: bench
bench: image
	go run ./integration/bench

# The forming service starts the nodes and ends when the cluster serves.
.PHONY: cluster-up
cluster-up: image
	$(COMPOSE) run --rm -T form
	@echo "REPRISE_REDIS_URL='redis://127.0.0.1:7001?addr=127.0.0.1:7002&addr=127.0.0.1:7003'"

.PHONY: cluster-down
cluster-down:
	$(COMPOSE) down --volumes
