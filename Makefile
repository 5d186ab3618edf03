.PHONY: help build test race lint cross fuzz bench-redact quickstart awsbatch nextflow ci

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build everything
	go build ./...

test: ## all tests, as in the README
	go test ./...
	cd internal/printers && go test ./...

race: ## all tests under the race detector
	go test -race ./...

lint: ## gofmt, go vet, staticcheck, and go.mod as go mod tidy would leave it
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt would change these"; exit 1; }
	go vet ./...
	"$$(go env GOPATH)/bin/staticcheck" ./...
	go mod tidy -diff

cross: ## go vet, tests included, for other systems on which it is to build
	GOOS=darwin go vet ./...
	GOOS=freebsd go vet ./...

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME (30s)
	@git grep -lE '^func Fuzz' -- '*_test.go' | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+).*/\1/p' "$$file"); do \
	    go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
	  done; \
	done

bench-redact: ## masking logs side by side with others, and docs/redaction.svg
	cd internal/bench && go run . -svg ../../docs/redaction.svg

quickstart: ## the main job, on the embedded default
	go run ./examples/quickstart

awsbatch: ## the main job, for AWS Batch
	go run ./examples/awsbatch

nextflow: ## the main job, by the nextflow on PATH
	go run ./examples/nextflow

ci: ## the gate
	.ci/run
