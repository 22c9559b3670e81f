# Every target does its own set-up; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
RUN := $(VENV)/bin

# Where the demo and the tests run: kind, current (your own kubeconfig context), or an embedded cluster of that name.
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
cluster-up:  ## Start a Kubernetes cluster: embedded, or CLUSTER=kind, CLUSTER=current
	@python3 -m hack.clusters up --name $(CLUSTER)
cluster-down:  ## Stop it and remove everything it left on the machine
	@python3 -m hack.clusters down --name $(CLUSTER)
cluster-status:  ## Tell how it is
	@python3 -m hack.clusters status --name $(CLUSTER)

.PHONY: image
image:  ## Build the container images
	@python3 -m hack.images build

.PHONY: manifests
manifests: venv  ## Generate the CRD and the plain manifests
	@$(RUN)/python -m hack.manifests

.PHONY: demo
demo: venv  ## See the main job: a good version promoted, a failing one rolled back
	@$(RUN)/python -m hack.demo --cluster $(CLUSTER)

TEST_CLUSTER ?= $(if $(filter kind current,$(CLUSTER)),$(CLUSTER),sluice-test)
PYTEST := $(RUN)/pytest
ON_CLUSTER := SLUICE_TEST_CLUSTER=$(TEST_CLUSTER) $(PYTEST)
# Who needs what a whole file shares stays together; on the cluster a test waits as long as it computes.
CORES := $(shell nproc)
PARALLEL := -n $(CORES) --dist loadfile
WAITING := -n $(CORES) --dist worksteal
# Faults of a node's own processes can be made only where the node is this machine.
HERE := $(if $(filter kind current,$(TEST_CLUSTER)), and not embedded)

.PHONY: test-unit
test-unit: venv  ## Unit tests, properties and the simulation: no cluster
	$(PYTEST) -n $(CORES) tests/simulation
	$(PYTEST) $(PARALLEL) -m "not integration" tests/unit

# The stack and the tests on its cluster; of those that need no stack $(1) may leave some out.
define ON_STACK
@$(RUN)/python -m hack.stack --cluster $(TEST_CLUSTER)
$(ON_CLUSTER) $(PARALLEL) tests/unit tests/integration $(1)
$(ON_CLUSTER) $(WAITING) -m "not alone$(HERE)" tests/e2e
$(ON_CLUSTER) -m "alone$(HERE)" tests/e2e
endef

.PHONY: test-e2e
test-e2e: venv  ## Only the tests on the real cluster
	$(call ON_STACK,-m "integration$(HERE)")

.PHONY: test
test: lint typecheck  ## Everything, on a cluster of its own
	$(PYTEST) -n $(CORES) tests/simulation
	$(call ON_STACK)

.PHONY: schedules
schedules: venv  ## Run 10,000 random schedules of faults in simulation (some of each kind; about half an hour on 2 cores)
	$(RUN)/python -m benchmarks.schedules --count 10000 --record

.PHONY: bench
bench: venv  ## Measure rollouts as clients see them (about 15 minutes)
	$(RUN)/python -m benchmarks.rollouts hard-failure --cluster $(CLUSTER)
	$(RUN)/python -m benchmarks.rollouts good --cluster $(CLUSTER)

.PHONY: bench-scale
bench-scale: venv  ## Measure 1,000 idle objects beside Argo Rollouts, on a cluster of its own (about 20 minutes)
	$(RUN)/python -m benchmarks.scale --write scale-1000
	@python3 -m hack.cluster down --name scale

.PHONY: bench-soak
bench-soak: venv  ## Rollouts back to back for two hours: is the operator's memory flat?
	$(RUN)/python -m benchmarks.soak --cluster $(CLUSTER)

.PHONY: bench-strategies
bench-strategies: venv  ## Measure each strategy with a good and a bad version; docs/strategies-measured.md (about 15 minutes)
	$(RUN)/python -m benchmarks.strategies --cluster $(CLUSTER)

.PHONY: bench-shadow
bench-shadow: venv  ## Measure what users notice of a shadow that gets all of their requests (about 15 minutes)
	$(RUN)/python -m benchmarks.shadow --cluster $(CLUSTER)

.PHONY: bench-faults bench-operator-kill
bench-faults: venv  ## Random faults in rollouts on the real cluster (about 20 minutes)
	$(RUN)/python -m benchmarks.faults --cluster $(CLUSTER)
bench-operator-kill: venv  ## Good rollouts with the operator killed in each (about 12 minutes)
	$(RUN)/python -m benchmarks.operator_kill --cluster $(CLUSTER)

.PHONY: bench-takeover
bench-takeover: venv  ## Measure how fast the second operator takes over (about 8 minutes)
	$(RUN)/python -m benchmarks.takeover --cluster $(CLUSTER)
