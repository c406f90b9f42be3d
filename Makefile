# Each target is the only command needed on a bare Debian 12: it installs what it needs (tools/setup), builds and runs.
# CMake users get the same builds by preset: cmake --preset release && cmake --build --preset release

FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local

# Clones of this repository share compiled objects: paths below the source folder count as relative.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export FUZZ_SECONDS

# The sanitizers of g++ 12 expect memory where a kernel with strong address randomization may not put it.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)
CTEST := ctest -j $(JOBS) --output-on-failure --no-tests=error
configure = @[ -f build/$(1)/build.ninja ] || cmake --preset $(1) $(2)
build = $(call configure,$(1)) && cmake --build --preset $(1)

.DEFAULT_GOAL := release
.PHONY: help release install quickstart test lint fmt bench scan fuzz asan tsan coverage clean

help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

release: ## build everything into build/release/
	@tools/setup build
	$(call build,release)

install: ## programs, manual, systemd units and completions into PREFIX (/usr/local), below DESTDIR
	@tools/setup build
	$(call build,release) --target cipherway cipherway-keyholder
	DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

quickstart: ## the main job, on this machine: two nodes, one mutual-TLS channel, and a report
	@tools/setup build
	$(call build,release) --target cipherway cipherway-keyholder
	build/release/cipherway quickstart

test: ## all tests, and the fuzz corpora replayed
	@tools/setup test
	$(call build,release)
	$(CTEST) --test-dir build/release

lint: ## formatting, include rules, clang-tidy, shell scripts
	@tools/setup lint
	tools/format --check
	tools/check-layers
	shellcheck tools/setup tools/format tools/fuzz tools/bench tools/coverage .ci/run
	pyflakes3 tools/check-layers tools/check-docs tools/check-man tools/completions.py tools/interop-table tools/scan tools/tidy tests
	@[ -f build/lint/build.ninja ] || cmake --preset dev -B build/lint -DCMAKE_CXX_COMPILER=clang++-19
	@cmake build/lint >/dev/null
	tools/tidy build/lint

fmt: ## format the sources
	@tools/setup lint
	tools/format

bench: ## benchmarks: each compares with a peer in the same run
	@tools/setup bench
	tools/bench

scan: ## testssl.sh, sslscan and slowhttptest against our listeners, into build/scan/ and docs/scans.md
	@tools/setup test
	$(call build,release) --target cipherway cipherway-keyholder
	tools/scan

fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	@tools/setup lint
	$(call build,fuzz) --target fuzzers
	tools/fuzz

asan: ## tests under the address and undefined-behaviour sanitizers
	@tools/setup test
	$(call configure,asan) && $(FIXED_ADDRESSES) cmake --build --preset asan
	$(FIXED_ADDRESSES) $(CTEST) --test-dir build/asan -L '^(unit|scenario|proof)$$'

tsan: ## unit tests under the thread sanitizer
	@tools/setup test
	$(call configure,tsan) && $(FIXED_ADDRESSES) cmake --build --preset tsan
	$(FIXED_ADDRESSES) $(CTEST) --test-dir build/tsan -L '^unit$$'

coverage: ## which lines the unit tests and scenarios reach
	@tools/setup coverage
	$(call build,coverage)
	$(CTEST) --test-dir build/coverage -L '^(unit|scenario)$$'
	tools/coverage

clean: ## remove build/
	rm -rf build
