# Needs Go and make, and Docker for what runs on a real Redis Cluster. See docs/testing.md.

REDIS_IMAGE ?= redis:7.0.15
export REDIS_IMAGE

COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.PHONY: help
help:
	@echo 'make test          vet and test everything, on a real Redis Cluster where Docker is'
	@echo 'make test-quick    what needs no Docker and little time, for before a commit'
	@echo 'make test-cluster  what needs servers in containers, alone (Docker)'
	@echo 'make matrix        that and the conformance table on each of IMAGES="redis:7.4 valkey/valkey:8.1" (Docker)'
	@echo 'make sim           play 3000 made-up bad days on a fake clock, and check every promise'
	@echo 'make soak          the same, until stopped'
	@echo 'make mutants       break the rules one by one, and see that the simulation notices'
	@echo 'make chaos         break a real Redis Cluster under load, and print what was counted (Docker)'
	@echo 'make bench         measure against the naive composition and the floor (Docker)'
	@echo 'make conformance   walk the HTTP contracts against URL=, or examples/payments in all dialects or DIALECT=, on REPRISE_REDIS_URL if set'
	@echo 'make image         pull or build $(REDIS_IMAGE), if it is missing'
	@echo 'make cluster-up    a Redis Cluster on 127.0.0.1:7001 to 7006, for development'
	@echo 'make cluster-down  and away with it'

.PHONY: test
test:
	@integration/test.sh

.PHONY: test-quick
test-quick:
	@integration/test.sh quick

.PHONY: test-cluster
test-cluster:
	@integration/test.sh cluster

.PHONY: matrix
matrix:
	@integration/matrix.sh $(IMAGES)

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
