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
