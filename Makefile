# Needs Go and make, and Docker for what runs on a real Redis Cluster. See CONTRIBUTING.md and
# docs/testing.md. Targets are in the order in which make help has them: what one needs first is first.

REDIS_IMAGE ?= redis:7.0.15
POSTGRES_IMAGE ?= postgres:15
MARIADB_IMAGE ?= mariadb:10.11
export REDIS_IMAGE POSTGRES_IMAGE MARIADB_IMAGE

COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

# All modules of the workspace.
PACKAGES = ./... ./grpcadapter/... ./reprisetest/... ./telemetry/... ./cmd/reprise/... ./examples/... ./integration/...

.PHONY: help
help: ## this list
	@awk -F '##' '/^[a-z -]+:.*##/ { split($$1, names, "[ :]"); printf "make %-14s%s\n", names[1], $$2 }' \
		$(firstword $(MAKEFILE_LIST))

.PHONY: test-quick
test-quick: ## what needs no Docker and little time, for before a commit
	@integration/test.sh quick

.PHONY: test-lock test-cache test-replay test-dialect test-httpadapter test-httpclient test-grpcadapter test-reprisetest test-telemetry test-effect
test-lock test-cache test-replay test-dialect test-httpadapter test-httpclient test-grpcadapter test-reprisetest test-telemetry test-effect: ## what tests lock, and how much of it that covers; so for each package
	@integration/test.sh $(@:test-%=%)

# Of a version, so that what it finds changes with a commit alone. It is no module's requirement.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: lint
lint: ## staticcheck over all modules; CI runs it
	go run $(STATICCHECK) $(PACKAGES)

.PHONY: test
test: ## vet and test everything, on a real Redis Cluster where Docker is; for before a merge
	@integration/test.sh

# What the nested modules require of each other and of the root module may not be released yet:
# meanwhile it is what is here.
root = github.com/reprise-go/reprise
.PHONY: tidy
tidy: ## go mod tidy in all modules, and go.work.sum; after a change of dependencies
	go mod tidy
	cd examples && go mod tidy
	cd integration && go mod tidy
	for nested in grpcadapter reprisetest telemetry cmd/reprise; do ( cd $$nested && \
		go mod edit -replace $(root)=$(CURDIR) -replace $(root)/grpcadapter=$(CURDIR)/grpcadapter && { go mod tidy; \
		status=$$?; go mod edit -dropreplace $(root) -dropreplace $(root)/grpcadapter; exit $$status; } ) || exit; done
	go mod download

# In the package's directory, where go test shows the table of a test that passes, too. ARGS are
# further flags, such as -path or -header: see go test -args -help there.
.PHONY: conformance
conformance: ## walk the HTTP contracts against URL=, or examples/payments in all dialects or DIALECT=, on REPRISE_REDIS_URL if set
	@cd integration/conformance && go test -count=1 -run TestConformance -args \
		$(if $(URL),-url '$(URL)') $(if $(DIALECT),-dialect '$(DIALECT)') $(ARGS)

# Without the race detector, under which make test plays the first few hundred. The tests are built
# and run apart because go test keeps what a test that passes has to say to itself.
simulate = dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	go test -c -o "$$dir/sim" ./integration/sim && cd integration/sim && "$$dir/sim"

.PHONY: sim
sim: ## play 3000 made-up bad days on a fake clock, and check every promise
	@$(simulate) -schedules 3000

.PHONY: soak
soak: ## the same, until stopped
	@$(simulate) -test.timeout 0 -test.run TestSchedules -soak -stop -first $$(date +%s)

.PHONY: mutants
mutants: ## break the rules one by one, and see that the simulation notices
	go run ./integration/sim/mutants

.PHONY: image images
image: ## pull or build the image of Redis, REDIS_IMAGE, if it is missing (Docker)
	@integration/image.sh $(REDIS_IMAGE)
images: ## the same, and POSTGRES_IMAGE and MARIADB_IMAGE
	@integration/image.sh $(REDIS_IMAGE) $(POSTGRES_IMAGE) $(MARIADB_IMAGE)

.PHONY: test-cluster
test-cluster: ## what needs servers in containers, alone (Docker)
	@integration/test.sh cluster

# The forming service starts the nodes and ends when the cluster serves.
.PHONY: cluster-up
cluster-up: image ## a Redis Cluster on 127.0.0.1:7001 to 7006, for development (Docker)
	$(COMPOSE) run --rm -T form
	@echo "REPRISE_REDIS_URL='redis://127.0.0.1:7001?addr=127.0.0.1:7002&addr=127.0.0.1:7003'"

.PHONY: cluster-down
cluster-down: ## and away with it
	$(COMPOSE) down --volumes

PROMETHEUS_IMAGE ?= prom/prometheus:v2.42.0
GRAFANA_IMAGE ?= grafana/grafana:11.6.0
PAYMENTS_IMAGE ?= reprise-payments:dev
export PROMETHEUS_IMAGE GRAFANA_IMAGE PAYMENTS_IMAGE

# Of the example there is no image to pull: it is a program without anything beside it.
.PHONY: payments-image
payments-image:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && mkdir "$$dir/data" "$$dir/tmp" && \
		CGO_ENABLED=0 GOOS=linux go build -o "$$dir/payments" ./examples/payments && \
		tar -C "$$dir" -c . | docker import --change 'ENTRYPOINT ["/payments"]' - $(PAYMENTS_IMAGE) >/dev/null

# Grafana can be pulled and not built, so that all goes on without it.
.PHONY: observability-up
observability-up: cluster-up payments-image ## three replicas over it, Prometheus on :9090 and Grafana on :3000 (Docker)
	@integration/image.sh $(PROMETHEUS_IMAGE)
	$(COMPOSE) --profile observability up -d
	@echo 'payments: http://127.0.0.1:8081, 8082 and 8083; Prometheus: http://127.0.0.1:9090'
	@if integration/image.sh $(GRAFANA_IMAGE); then $(COMPOSE) --profile grafana up -d grafana && \
		echo 'Grafana: http://127.0.0.1:3000'; else echo 'without Grafana: import observability/dashboard.json into one'; fi

.PHONY: observability-down
observability-down: ## and away with all of it
	$(COMPOSE) --profile observability --profile grafana down --volumes

# Without the race detector and with more load: make test runs the same with less.
.PHONY: chaos
chaos: images ## break a real Redis Cluster under load, and print what was counted (Docker)
	REPRISE_REQUIRE_DOCKER=1 go test -count=1 -timeout 45m -v ./integration/chaos -args -keys 1000 -requests 10000 -served 5s

.PHONY: bench
bench: ## measure against the naive composition and the floor (redis-server)
	go run ./integration/bench

.PHONY: matrix
matrix: ## test-cluster and conformance on each of IMAGES="redis:7.4 valkey/valkey:8.1" (Docker)
	@integration/matrix.sh $(IMAGES)

.PHONY: release-check
release-check: ## see that VERSION=v0.1.0 of each published module can be got, built and run; see CONTRIBUTING.md
	@go run ./integration/release -version '$(VERSION)'
