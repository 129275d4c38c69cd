# What one needs daily. CI runs `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := build
.PHONY: build test lint generate check-generated tools test-go test-crash test-crash-mysql test-compose bench bench-growth bench-backends bench-histories bench-audit bench-index bench-page fuzz clean

# Tests find the outside programs here: grpcurl, staticcheck, fsck, the generators.
export PATH := $(CURDIR)/build/bin:$(PATH)
export TALLYROOT_FSCK := $(CURDIR)/build/bin/fsck
# What is missing then fails a test instead of skipping it.
export TALLYROOT_TEST_ALL := 1

build:
	CGO_ENABLED=0 go build -o build/bin/tallyroot ./cmd/tallyroot

# Installs what is missing (and says what), then checks everything.
test: tools lint check-generated test-go

tools:
	scripts/install-tools.sh

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))
	if [ -n "$$unformatted" ]; then
		echo "These files are not as gofmt writes them:" $$unformatted >&2
		exit 1
	fi
	go vet ./...
	staticcheck ./...

# The Go code and the OpenAPI document from proto/, and the verifier of the product page. The same input
# gives the same bytes; the tests check that of the verifier.
generate: tools
	scripts/generate.sh
	go generate ./gateway/web/verifier/...
	cd gateway/web/verifier && go run ./build

check-generated:
	scripts/check-generated.sh

# The race detector needs a C compiler; the product itself does not. It waits a
# second at the end of each process, which adds up where tests start many.
test-go:
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race -timeout 12m ./...

# Kills the real process at random moments under load, many more times than `make test` does.
test-crash:
	TALLYROOT_KILLS=$${TALLYROOT_KILLS:-50} go test -count 1 -timeout 60m -run 'Kill|Crash' -v ./cmd/tallyroot ./trillianlog/...

# The same for the database, Trillian's log server, its signer and the service, each in its turn.
test-crash-mysql: tools
	TALLYROOT_KILLS=$${TALLYROOT_KILLS:-10} go test -count 1 -timeout 60m -run 'TestKillDatabase|TestKillServers' -v ./cmd/tallyroot

# The compose file as processes of this machine, on programs that the Dockerfile's own commands build.
test-compose: tools
	TALLYROOT_COMPOSE=1 go test -count 1 -timeout 30m -v ./internal/compose

# The figures of README.md on this machine, beside the machine's own limits.
bench: build
	go run ./internal/bench -binary build/bin/tallyroot

bench-growth: build
	go run ./internal/bench -binary build/bin/tallyroot -growth

# The same on MariaDB, in the process and on Trillian's own servers, beside a plain client of those.
bench-backends: build tools
	go run ./internal/bench -binary build/bin/tallyroot -backends

# Histories with all their proofs, out of a log of a million entries.
bench-histories: build
	go run ./internal/bench -binary build/bin/tallyroot -histories

# An audit of a million entries: every signature, every leaf of the index.
bench-audit:
	AUDIT_ENTRIES=$${AUDIT_ENTRIES:-1000000} go test -run '^$$' -bench BenchmarkAudit -benchtime 1x -timeout 30m ./provenance/audit

# What the history index costs and how large its proofs are, as it grows.
bench-index:
	go test -run '^$$' -bench . -timeout 30m ./provenance/historyindex/...

# The product page in Chromium: the checks, and when it can be used.
bench-page: tools
	go test -run '^$$' -bench Page -benchtime 10x -timeout 10m ./gateway/web ./gateway/web/verifier

# Every fuzz target for ten seconds: make fuzz TIME=1m for longer.
fuzz:
	scripts/fuzz.sh $(TIME)

clean:
	rm -rf build
