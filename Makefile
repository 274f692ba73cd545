# What is done with the project. `make` alone lists it.

FUZZTIME ?= 10s
BIN      := bin
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.PHONY: help build test race fuzz bench lint imports asyncapi check release ci containers up compose-up compose-down clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build all programs into bin/
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./cmd/segue ./saga/orchestrator ./services/...

test: ## run the tests
	go test ./...

race: ## run the tests with the race detector, without the longest
	go test -race -short ./...

fuzz: ## fuzz each target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

lint: ## check formatting, go vet, staticcheck
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "run gofmt on:"; echo "$$files"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

imports: ## write the import list of ARCHITECTURE.md anew
	go test . -run TestImportList -update

asyncapi: ## write asyncapi.yaml anew
	go test ./events/asyncapi -update

check: ## walk through every way a run of the shipped sagas can go
	go run ./cmd/segue check

release: ## build VERSION (v0.1.0, say) from what is committed, into dist/
	release/build $(VERSION)

ci: ## everything that has to hold before a change is taken, at most 40 minutes
	.ci/run

containers: ## test images and compose.yaml; needs a Docker daemon
	SEGUE_CONTAINERS=1 go test -v -count=1 ./test/containers

up: ## run broker, orchestrator and services in one process until stopped
	go run ./cmd/segue up

compose-up: ## run them as containers
	docker compose up --build --detach --wait

compose-down: ## stop the containers; the volumes stay
	docker compose down

clean: ## remove what was built; the data in .segue stays
	rm -rf $(BIN)
	go clean
