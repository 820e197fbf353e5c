# The front door. `make help` lists the doors.

# The programs are built as `dev` (quick to build) or `release` (quick to run).
PROFILE ?= dev
CARGO ?= cargo
NPM ?= npm

TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
WEB_SOURCES := $(shell find web -name node_modules -prune -o -name dist -prune -o -type f -print 2>/dev/null)

SDK_PYTHON := $(abspath $(TARGET))/sdk-python

.PHONY: help up build web test sdk-test sdk-tools check gen fmt bench bench-scale bench-ingest bench-flags bench-propagation bench-instructions suites clean tools test-tools

help:
	@echo 'make up                          build, start with the sample, print where everything is'
	@echo 'make build [PROFILE=dev|release] the programs with the web pages inside, in $(TARGET)'
	@echo 'make test                        every test; sets up what the tests need'
	@echo 'make sdk-test                    the tests of the SDKs alone: JavaScript and Python'
	@echo 'make check                       format, lints, layers, tidiness, types: before each commit'
	@echo 'make gen                         regenerate spec/, the clients and the schemas'
	@echo 'make fmt                         format the Rust code'
	@echo 'make bench                       measure the gateway against its peers'
	@echo 'make bench-scale                 measure what 5,000 routes and 100,000 keys cost, and changes of them'
	@echo 'make bench-ingest                measure how many tracked events are taken, counted and kept'
	@echo 'make bench-flags [ARGS=--unleash] measure what a question about feature flags costs a node; against unleash-server'
	@echo 'make bench-propagation           measure how long a change of a flag takes to 10,000 streams'
	@echo 'make bench-instructions          count the instructions of a call, compare with what is written down'
	@echo 'make suites                      run the suites of others: HTTP/2, HTTP/3, gRPC, ambiguous messages, telemetry, tables, OpenFeature, flags and SDKs of others'
	@echo 'make clean                       remove everything that was built'

up: build
	@exec $(PROGRAMS)/gateline up $(ARGS)

build: tools web
	@echo '── programs ($(PROFILE)); the first time takes some minutes'
	$(CARGO) build --profile $(PROFILE) -p gateline -p gateline-edge

web: tools web/dist/.built

web/node_modules/.installed: web/package.json web/package-lock.json
	@echo '── web libraries'
	# `ci` refuses a lock file without the packages of other systems, which some registries do not have;
	# `install` then takes the locked versions of all others.
	cd web && { $(NPM) ci --no-audit --no-fund 2>/dev/null || $(NPM) install --no-save --no-audit --no-fund; }
	@touch $@

web/dist/.built: web/node_modules/.installed $(WEB_SOURCES)
	@echo '── web pages'
	cd web && $(NPM) run --silent build
	@touch $@

test: build test-tools sdk-tools
	@echo '── Rust tests'
	GATELINE_PROGRAMS=$(abspath $(PROGRAMS)) $(CARGO) test --workspace --profile $(if $(filter dev,$(PROFILE)),test,$(PROFILE))
	@echo '── tests of the benchmark'
	cd benches/gateway && python3 -m unittest --quiet
	@$(MAKE) --no-print-directory sdk-test
	@echo '── web tests'
	cd web && $(NPM) test
	cd web && GATELINE_PROGRAMS=$(abspath $(PROGRAMS)) $(NPM) run e2e

sdk-test: sdk-tools
	@echo '── JavaScript SDK'
	cd sdk/javascript && $(NPM) test
	@echo '── Python SDK'
	cd sdk/python && $(SDK_PYTHON)/bin/python -m mypy src tests bench
	cd sdk/python && PYTHONPATH=src $(SDK_PYTHON)/bin/python -W error::ResourceWarning -m unittest discover --quiet -s tests

# What the SDKs' tests need, and those of the programs that ask with the SDKs.
sdk-tools: sdk/javascript/node_modules/.installed $(SDK_PYTHON)/.installed

sdk/javascript/node_modules/.installed: sdk/javascript/package.json sdk/javascript/package-lock.json
	@echo '── libraries of the JavaScript SDK'
	cd sdk/javascript && $(NPM) ci --no-audit --no-fund
	@touch $@

$(SDK_PYTHON)/.installed: sdk/python/requirements-dev.txt
	@echo '── libraries of the Python SDK'
	python3 -m venv $(SDK_PYTHON)
	$(SDK_PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --requirement sdk/python/requirements-dev.txt
	@touch $@

check: tools web/node_modules/.installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	# The targets of fuzzing are no part of the workspace, since to run them takes a nightly compiler.
	$(CARGO) clippy -p gateway --lib -- -D warnings --cfg fuzzing
	cd fuzz && RUSTFLAGS='--cfg fuzzing' $(CARGO) check --quiet --target-dir $(abspath $(TARGET))/fuzz
	$(CARGO) xtask layers
	$(CARGO) xtask tidy
	$(CARGO) xtask gen --check
	cd web && $(NPM) run check

gen: tools web/node_modules/.installed
	$(CARGO) xtask gen
	cd web && $(NPM) run gen

fmt: tools
	$(CARGO) fmt --all

bench: tools
	benches/gateway/run

bench-scale: tools
	benches/gateway/scale

bench-ingest: tools
	benches/ingest/run

bench-flags: tools
	benches/flags/run $(ARGS)

bench-propagation: tools
	benches/flags/propagation

bench-instructions: tools
	benches/gateway/instructions

suites: tools
	tests/suites/run

clean:
	$(CARGO) clean
	rm -rf web/dist/* web/dist/.built web/node_modules sdk/javascript/build sdk/javascript/dist sdk/javascript/node_modules

tools:
	@scripts/need build

test-tools:
	@scripts/need test
