# Everything that is done with this repository, by one name each. The files that
# do the work are test/run.sh and test/setup.sh; CONTRIBUTING.md says more.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help

# The version is passed to the linker, so a build depends on nothing that Go finds
# out about the checkout by itself.
VERSION ?= $(shell git -c safe.directory='*' describe --tags --always --dirty 2>/dev/null || echo unknown)
# Kustomize can load plugins, which makes the linker keep every symbol (20 MB) and
# call another one. Fairway does not use that.
override export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false -tags=kustomize_disable_go_plugin_support)

# What is passed on to the demo, to a benchmark or to go test.
ARGS ?=
# How often `make crash` kills.
KILLS ?= 200
# Which random numbers `make bench-judge` draws, and how many releases per cell.
SEED ?= 1
N ?= 200

GOLANGCI_LINT_VERSION := v2.15.0
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fairway
GOLANGCI_LINT := $(CACHE)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint

UI_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json -type f 2>/dev/null)

##@ To use it

.PHONY: help
help: ## List what make can do
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

.PHONY: build
build: ui binary shops ## Build the UI, the binary bin/fairway and the demo's shops

.PHONY: demo
demo: build ## Ship a good, a bad and a dead version of a shop; ARGS="-o json" is passed on
	@bin/fairway demo $(ARGS)

.PHONY: ui
ui: web/dist/index.html ## Build the UI, which becomes a part of the binary

.PHONY: binary
binary:
	go build -trimpath -ldflags "-s -w -X github.com/fairwayhq/fairway/internal/app.version=$(VERSION)" -o bin/fairway ./cmd/fairway

# The versions of the demo: v1 and v2 are good, v3 answers badly, v4 cannot start.
# Those of bench-demo's live part are ten times as slow: v5 is good, v6 fails 5 and v7
# 2 answers more in a hundred, v8 is twice as slow as v5.
.PHONY: shops
shops:
	go build -ldflags "-X main.version=v1" -o bin/shop-v1 ./examples/shop
	go build -ldflags "-X main.version=v2 -X main.slower=0.97" -o bin/shop-v2 ./examples/shop
	go build -ldflags "-X main.version=v3 -X main.errorRate=0.052 -X main.slower=1.3" -o bin/shop-v3 ./examples/shop
	go build -ldflags "-X main.version=v4 -X main.failStart=true" -o bin/shop-v4 ./examples/shop
	go build -ldflags "-X main.version=v5 -X main.slower=10" -o bin/shop-v5 ./examples/shop
	go build -ldflags "-X main.version=v6 -X main.slower=10 -X main.errorRate=0.05" -o bin/shop-v6 ./examples/shop
	go build -ldflags "-X main.version=v7 -X main.slower=10 -X main.errorRate=0.02" -o bin/shop-v7 ./examples/shop
	go build -ldflags "-X main.version=v8 -X main.slower=20" -o bin/shop-v8 ./examples/shop

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-progress --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(UI_SOURCES)
	cd web && npm run --silent build
	@touch $@

##@ To change it

.PHONY: test
test: ## Run every test that this machine can run; needs nothing but Go and Node.js
	@test/run.sh

.PHONY: crash
crash: ## Kill server and workers KILLS times (200) and see that nothing is lost
	@go run ./test/crash -kills $(KILLS) $(ARGS)

.PHONY: crash-long
crash-long: ## The same a thousand times with SQLite, then with two servers on PostgreSQL: about an hour each
	@test/setup.sh postgresql >&2
	@go run ./test/crash -kills 1000 -database both -limit 100m $(ARGS)

.PHONY: partition
partition: ## Cut workers off from their server 100 times for a minute, and lose some beside; ARGS="-n 8 -losses 4 -cut 40s"
	@go run ./test/partition $(ARGS)

.PHONY: test-cluster
test-cluster: ## Test with a real Kubernetes, as root on Linux; the first time it is built
	@go run ./test/cluster/up -prepare
	FAIRWAY_TEST_CLUSTER=1 go test -count=1 -v -timeout 15m ./test/cluster/... $(ARGS)

.PHONY: e2e-kubernetes
e2e-kubernetes: binary ## Try outages, kills and rollbacks on a real Kubernetes; ARGS="-only outage"
	@test/setup.sh prometheus >&2
	@go run ./test/kubernetes -fairway bin/fairway $(ARGS)

.PHONY: cluster
cluster: ## Bring a real Kubernetes up on this machine until ctrl-C; ARGS="-node=false"
	@go build -o bin/cluster ./test/cluster/up && exec bin/cluster $(ARGS)

.PHONY: lint
lint: $(GOLANGCI_LINT) web/node_modules/.package-lock.json ## Look for mistakes, and for imports against the arrow
	$(GOLANGCI_LINT) run ./...
	cd web && npm run --silent lint

# The linter has its own dependencies and is built apart from the project's.
$(GOLANGCI_LINT):
	@echo "Building golangci-lint $(GOLANGCI_LINT_VERSION), once; this takes some minutes."
	GOFLAGS= GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

.PHONY: verify
verify: web/node_modules/.package-lock.json ## Check that generated files, formatting and go.mod are up to date
	@test/verify.sh

.PHONY: generate
generate: web/node_modules/.package-lock.json ## Make the JSON Schema, the references and the UI's API types again
	go generate ./...
	go test ./internal/api -run TestTheDocumentIsStable -update
	go build -o bin/fairway ./cmd/fairway
	bin/fairway openapi > web/src/api/openapi.json
	docs/reference/cli.sh bin/fairway > docs/reference/cli.md
	cd web && npm run --silent api

.PHONY: fmt
fmt: ## Format the Go code
	gofmt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## Remove what was built; tools and downloads stay in the caches
	rm -rf bin web/node_modules web/test-results
	find web/dist -mindepth 1 ! -name .keep -delete

##@ To measure it (a table, and a line of JSON at the end)

.PHONY: bench
bench: bench-router bench-drive bench-demo bench-judge ## Run all benchmarks, one after the other

.PHONY: bench-router
bench-router: ## Throughput beside Caddy and nginx, added latency, requests failed by deploys
	@test/setup.sh nginx-light wrk >&2
	@go run ./bench/router $(ARGS)

.PHONY: bench-drive
bench-drive: binary ## Transitions per second, with SQLite and PostgreSQL, memory, time to start
	@test/setup.sh postgresql >&2
	@go run ./bench/drive -fairway bin/fairway $(ARGS)

.PHONY: bench-scale
bench-scale: binary ## 10,000 active releases on two servers for an hour: memory, and what is written
	@test/setup.sh postgresql >&2
	@go run ./bench/scale -fairway bin/fairway $(ARGS)

.PHONY: bench-waves
bench-waves: ## Bad releases to 200 simulated regions, and good ones taken back everywhere
	@go run ./bench/waves $(ARGS)

.PHONY: bench-model
bench-model: binary ## What many regions, services and releases need, computed from measured costs; ARGS="-releases 1000"
	@test/setup.sh postgresql >&2
	@go run ./bench/model -fairway bin/fairway $(ARGS)

.PHONY: bench-demo
bench-demo: binary shops ## Seconds to promote and to roll back, and what bad versions cost; ARGS="-only live"
	@go run ./bench/demo $(ARGS)

.PHONY: bench-judge
bench-judge: ## The judge beside an oracle and the field's rules, in simulation; SEED=1 N=200
	@go run ./bench/judge -seed $(SEED) -n $(N) $(ARGS)

.PHONY: bench-kubernetes
bench-kubernetes: binary ## What bad versions cost on a real Kubernetes, in two hours; ARGS="-only bad -runs 1"
	@test/setup.sh prometheus >&2
	@go run ./bench/kubernetes -fairway bin/fairway $(ARGS)
