# Everything sets itself up: Python 3.11+, git and make are all that a machine needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/tools/bin/uv
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

export NETFLIX_LANDING ?= $(CURDIR)/data/landing
export NETFLIX_LAKE ?= $(CURDIR)/data/lake
export PYTHONWARNINGS ?= ignore::DeprecationWarning

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(READY) ## land sample deliveries and build the whole lakehouse through Dagster
	@$(BIN)/netflix-dagster sample "$(NETFLIX_LANDING)"
	@$(BIN)/netflix-dagster run

dev: $(READY) ## dagster dev on the same lakehouse, sensors running: http://localhost:3000
	@$(BIN)/netflix-dagster doctor --home
	@DAGSTER_HOME=$${DAGSTER_HOME:-$(NETFLIX_LAKE)/.dagster} $(BIN)/dagster dev -w workspace.yaml --port $${PORT:-3000}

test: $(DEV_READY) ## the whole test suite
	@$(BIN)/python -m pytest

check: $(DEV_READY) ## lint, format, types, lock file, definitions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(UV) lock --check
	@$(BIN)/netflix-dagster doctor --definitions

bench: $(DEV_READY) ## what it costs: compute, warm run, load, tick, memory
	@$(BIN)/python -m netflix_dagster_tests.bench

soak: $(DEV_READY) ## the long tests
	@$(BIN)/python -m pytest -m soak

clean: ## remove the sample lakehouse (not the environment)
	rm -rf data

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)/tools
	@$(VENV)/tools/bin/python -m pip install --quiet "uv>=0.8,<1"

$(READY): $(UV) pyproject.toml uv.lock
	@echo "Installing the environment into $(VENV) ..."
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --quiet --frozen --no-dev --inexact --compile-bytecode --python $(PYTHON)
	@touch $@

$(DEV_READY): $(READY)
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --quiet --frozen --inexact --compile-bytecode --python $(PYTHON)
	@touch $@

.PHONY: help run dev test check bench soak clean
