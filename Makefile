# Every target does its own set-up; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
RUN := $(VENV)/bin

CLUSTER ?= sluice

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 22

$(VENV)/.done: requirements/dev.lock pyproject.toml
	@hack/venv.sh $(VENV)
	@touch $@

.PHONY: venv
venv: $(VENV)/.done  ## Create the Python environment

.PHONY: lock
lock: venv  ## Pin all dependencies again
	hack/lock.sh

.PHONY: lint
lint: venv  ## ruff and import-linter
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/lint-imports

.PHONY: format
format: venv  ## Format the code
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

.PHONY: typecheck
typecheck: venv  ## mypy, strict
	$(RUN)/mypy

.PHONY: cluster-up cluster-down cluster-status
cluster-up:  ## Build and start the embedded Kubernetes cluster
	@python3 -m hack.cluster up --name $(CLUSTER)
cluster-down:  ## Stop it and remove everything it left on the machine
	@python3 -m hack.cluster down --name $(CLUSTER)
cluster-status:  ## Tell how it is
	@python3 -m hack.cluster status --name $(CLUSTER)

.PHONY: image
image:  ## Build the container images
	@python3 -m hack.images build

.PHONY: manifests
manifests: venv  ## Generate the CRD and the plain manifests
	@$(RUN)/python -m hack.manifests

.PHONY: demo
demo: venv  ## See the main job: a good version promoted, a failing one rolled back
	@$(RUN)/python -m hack.demo --cluster $(CLUSTER)

TEST_CLUSTER ?= sluice-test
PYTEST := $(RUN)/pytest

.PHONY: test-unit
test-unit: venv  ## Unit tests, properties and the simulation: no cluster
	$(PYTEST) -m "not integration" tests/unit tests/simulation

.PHONY: test-e2e
test-e2e: venv  ## Only the tests on the real cluster
	SLUICE_TEST_CLUSTER=$(TEST_CLUSTER) $(PYTEST) tests/integration tests/e2e

.PHONY: test
test: lint typecheck  ## Everything, on a cluster of its own
	@python3 -m hack.cluster up --name $(TEST_CLUSTER)
	SLUICE_TEST_CLUSTER=$(TEST_CLUSTER) $(PYTEST) tests/unit tests/simulation tests/integration tests/e2e

.PHONY: bench
bench: venv  ## Measure rollouts as clients see them (about 15 minutes)
	$(RUN)/python -m benchmarks.rollouts hard-failure --cluster $(CLUSTER)
	$(RUN)/python -m benchmarks.rollouts good --cluster $(CLUSTER)
