# Ledge's build. `make` alone lists the targets.
#
# Every tool that a target needs is installed when it is missing: Debian packages
# by .ci/need, Go tools under build/tools, npm packages under build/hello-as. All
# that make writes is in bin/, build/ and dist/.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Settings, as in: make bench BENCH=Echo BENCHTIME=3s
BENCH ?= .
BENCHTIME ?= 1s
BENCHPKG ?= ./...
ROUNDS ?= 5
DURATION ?= 3s
FUZZTIME ?= 20s
SOAK ?= 10m
KILLS ?= 1000
DATA ?= ./ledge-data
HTTP ?= :8080
CONTROL ?= 127.0.0.1:9000

STATICCHECK_VERSION := v0.7.0
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
STATICCHECK := build/tools/staticcheck-$(STATICCHECK_VERSION)/staticcheck
BENCHSTAT := build/tools/benchstat-$(BENCHSTAT_VERSION)/benchstat

# All that goes into the binary, embedded files too.
SOURCES := $(shell find main.go go.mod go.sum engine edge persist scheduler firmware \
	-type f -not -name '*_test.go' -not -path '*/testdata/*' 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- the appliance

.PHONY: build
build: bin/ledge ## build bin/ledge, one static binary for this machine

bin/ledge: $(SOURCES) build/version build/runtimes .ci/build
	@.ci/build $@ "$$(go env GOHOSTARCH)" "$(VERSION)"

# Changes only when the version does, so that nothing is linked again in vain.
build/version: FORCE
	@mkdir -p build
	@echo "$(VERSION)" | cmp -s - $@ || echo "$(VERSION)" >$@

.PHONY: FORCE
FORCE:

.PHONY: run
run: build examples ## build all, start the appliance and deploy the examples
	@.ci/serve-examples bin/ledge build/functions "$(DATA)" "$(HTTP)" "$(CONTROL)"

.PHONY: release
release: dist/SHA256SUMS ## build static binaries for amd64 and arm64 into dist/

dist/ledge-linux-%: $(SOURCES) build/version build/precompiled-% .ci/build | need-release
	@.ci/build $@ $* "$(VERSION)"
	@file $@ | grep -q 'statically linked' || { echo "$@ is not statically linked" >&2; exit 1; }
	@! readelf --program-headers $@ | grep INTERP || { echo "$@ asks for a dynamic loader" >&2; exit 1; }

dist/SHA256SUMS: dist/ledge-linux-amd64 dist/ledge-linux-arm64
	@cd dist && sha256sum $(^F) >$(@F).tmp && mv $(@F).tmp $(@F)
	@cat $@

# Python and JavaScript: built from source once a machine, and compiled for any
# processor of an architecture. The files that stand for them change only when
# they do.
.PHONY: runtimes
runtimes: build/runtimes ## build the language runtimes that are embedded

build/runtimes: build/precompiled-$(shell go env GOHOSTARCH)
	@cmp -s $< $@ || cp $< $@

build/packed: FORCE
	@mkdir -p $(@D)
	@.ci/runtimes
	@cat engine/*/bundle/manifest.json | cmp -s - $@ || cat engine/*/bundle/manifest.json >$@

build/precompiled-%: build/packed FORCE
	@.ci/precompile $*
	@cat engine/*/bundle/manifest.json engine/*/precompiled/$*/*.json | cmp -s - $@ || \
		cat engine/*/bundle/manifest.json engine/*/precompiled/$*/*.json >$@

# ---- tests

.PHONY: test
test: build examples hostile clients ## run all tests
	go test ./...

.PHONY: race
race: build examples hostile clients ## run all tests with the race detector, those of C code with its own
	go test -race ./...
	ASAN_OPTIONS=detect_leaks=0 go test -asan ./engine/capi

.PHONY: lint
lint: $(STATICCHECK) build/runtimes ## check with gofmt, go vet, staticcheck and bash -n
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './build/*')); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	go vet ./... ./testdata/bench
	$(STATICCHECK) ./... ./testdata/bench
	@for module in $(GO_FUNCTIONS); do \
		(set -x; GOOS=wasip1 GOARCH=wasm go vet -C testdata/functions/$$module .); done
	go vet -C $(CLIENTS)/go ./...
	@for script in .ci/* engine/*/guest/build* $(CLIENTS)/*.sh; do bash -n "$$script"; done

.PHONY: bench
bench: build examples hostile $(BENCHSTAT) build/bench/workerd/installed | need-bench ## run the Go benchmarks, compared with the run before, then load the binary
	@mkdir -p build/bench
	@if [ -e build/bench/new.txt ]; then mv build/bench/new.txt build/bench/old.txt; fi
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(BENCHPKG) | tee build/bench/run.txt
	@mv build/bench/run.txt build/bench/new.txt
	@if [ -e build/bench/old.txt ]; then $(BENCHSTAT) build/bench/old.txt build/bench/new.txt; fi
	go run ./testdata/bench -ledge bin/ledge -functions build/functions -rounds $(ROUNDS) -duration $(DURATION) \
		-python "$${LEDGE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/ledge}/build/python/native/python3.13"

# What JavaScript functions are compared with.
build/bench/workerd/installed: testdata/bench/package.json testdata/bench/package-lock.json | need-npm
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	cd $(@D) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: fuzz
fuzz: build/runtimes examples hostile ## run every fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

.PHONY: soak
soak: build examples hostile | need-bench ## load the appliance for SOAK beside hostile functions, then kill it KILLS times
	@.ci/soak bin/ledge $(SOAK)
	LEDGE_SOAK_KILLS=$(KILLS) go test -run 'TestKillDuring' -timeout 60m -count=1 ./firmware

# ---- functions for examples and tests

FUNCTIONS := testdata/functions
GO_FUNCTIONS := hello-go greet-extism-go kv-extism-go
WAT_FUNCTIONS := $(basename $(notdir $(wildcard $(FUNCTIONS)/*.wat)))
EXAMPLES := $(GO_FUNCTIONS) thermostat-c hello-c-reactor debounce-c hello-as $(WAT_FUNCTIONS)
HOSTILE := $(basename $(notdir $(wildcard $(FUNCTIONS)/hostile/*.wat)))

.PHONY: examples
examples: $(EXAMPLES:%=build/functions/%.wasm) ## build the example functions to build/functions

.PHONY: hostile
hostile: $(HOSTILE:%=build/functions/hostile/%.wasm)

# Symbol names stay in, for the backtraces; debug information goes.
build/functions/hello-go.wasm: $(wildcard $(FUNCTIONS)/hello-go/*)
	@mkdir -p $(@D)
	GOOS=wasip1 GOARCH=wasm go build -C $(<D) -trimpath -buildvcs=false -ldflags=-w -o $(CURDIR)/$@ .

build/functions/greet-extism-go.wasm: $(wildcard $(FUNCTIONS)/greet-extism-go/*)
build/functions/kv-extism-go.wasm: $(wildcard $(FUNCTIONS)/kv-extism-go/*)
build/functions/greet-extism-go.wasm build/functions/kv-extism-go.wasm:
	@mkdir -p $(@D)
	GOOS=wasip1 GOARCH=wasm go build -C $(<D) -trimpath -buildvcs=false -ldflags=-w -buildmode=c-shared -o $(CURDIR)/$@ .

build/functions/thermostat-c.wasm: $(FUNCTIONS)/thermostat-c/thermostat.c | need-wasm
	@mkdir -p $(@D)
	clang --target=wasm32-wasi -O2 -Wall -Wextra -Werror -Wl,--strip-debug -o $@ $<

build/functions/hello-c-reactor.wasm: $(FUNCTIONS)/hello-c-reactor/hello.c | need-wasm
	@mkdir -p $(@D)
	clang --target=wasm32 -O2 -Wall -Wextra -Werror -nostdlib -Wl,--no-entry -Wl,--strip-debug -o $@ $<

build/functions/debounce-c.wasm: $(FUNCTIONS)/debounce-c/debounce.c $(FUNCTIONS)/ledge.h | need-wasm
	@mkdir -p $(@D)
	clang --target=wasm32 -O2 -Wall -Wextra -Werror -nostdlib -Wl,--no-entry -Wl,--strip-debug -I$(FUNCTIONS) -o $@ $<

HELLO_AS := $(FUNCTIONS)/hello-as

build/hello-as/installed: $(HELLO_AS)/package.json $(HELLO_AS)/package-lock.json | need-npm
	@mkdir -p $(@D)
	@cp $^ $(@D)/
	cd $(@D) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

build/functions/hello-as.wasm: $(wildcard $(HELLO_AS)/*.ts) $(HELLO_AS)/asconfig.json build/hello-as/installed
	@mkdir -p $(@D)
	cd $(HELLO_AS) && $(CURDIR)/build/hello-as/node_modules/.bin/asc hello.ts \
		--config asconfig.json --outFile $(CURDIR)/$@

# Those of hostile/ too.
build/functions/%.wasm: $(FUNCTIONS)/%.wat | need-wasm
	@mkdir -p $(@D)
	wat2wasm --debug-names -o $@ $<

# ---- AWS's own clients, which tests drive an appliance with

CLIENTS := testdata/clients

.PHONY: clients
clients: build/clients/go.test build/clients/js/installed | need-clients ## get the AWS clients that tests use

build/clients/go.test: $(wildcard $(CLIENTS)/go/*)
	@mkdir -p $(@D)
	go test -C $(CLIENTS)/go -c -o $(CURDIR)/$@ .

build/clients/js/installed: $(wildcard $(CLIENTS)/js/*) $(CLIENTS)/js/.npmrc | need-npm
	@mkdir -p $(@D)
	@cp $(CLIENTS)/js/.npmrc $(CLIENTS)/js/* $(@D)/
	cd $(@D) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# ---- tools

# need-GROUP installs a group of Debian packages; it is quick and quiet when they
# are there. Targets list it behind a bar, so that it never makes them stale.
NEEDS := wasm npm bench release runtimes clients qemu
.PHONY: $(NEEDS:%=need-%)
$(NEEDS:%=need-%): need-%:
	@.ci/need $*

.PHONY: deps
deps: $(NEEDS:%=need-%) $(STATICCHECK) $(BENCHSTAT) build/hello-as/installed clients ## install every tool that any target needs
	go mod download

$(STATICCHECK):
	GOBIN=$(CURDIR)/$(@D) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

$(BENCHSTAT):
	GOBIN=$(CURDIR)/$(@D) go install golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION)

.PHONY: clean
clean: ## remove all that make built; the data folder stays
	rm -rf bin build dist
