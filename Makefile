# Everything sets itself up: Python 3.11+, git and make are all that a machine needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
AZURITE := $(VENV)/azurite/node_modules
JARS := $(VENV)/spark-jars
ENGINE_TESTS := $(addprefix netflix_dagster_tests/, lake/test_store.py lake/test_expectations.py lake/test_carry.py \
  tables/test_history.py tables/test_silver.py tables/test_repair.py tables/test_text.py)
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

export NETFLIX_LANDING ?= $(CURDIR)/data/landing
export NETFLIX_LAKE ?= $(CURDIR)/data/lake
export UV_PYTHON_DOWNLOADS := never
export PYTHONWARNINGS ?= ignore::DeprecationWarning

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(READY) ## land sample deliveries and build the whole lakehouse through Dagster
	@$(BIN)/netflix-dagster sample "$(NETFLIX_LANDING)"
	@$(BIN)/netflix-dagster run

dev: $(READY) ## dagster dev on the same lakehouse, sensors running: http://localhost:3000
	@DAGSTER_HOME=$$($(BIN)/netflix-dagster home) $(BIN)/dagster dev -w workspace.yaml --port $${PORT:-3000}

azure-local: $(DEV_READY) azurite ## the Azure profile without an account: storage, identity and vault on this machine
	@$(BIN)/python -m netflix_dagster_tests.emulators.azure_local --port $${PORT:-3000}

test: $(DEV_READY) azurite ## the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile
	@$(MAKE) -s spark

spark: $(DEV_READY) ## the tests that touch the engine, on Apache Spark (needs Java 17; in CI it must be there)
	@if command -v java >/dev/null; then $(MAKE) -s $(JARS) && NETFLIX_ENGINE=spark $(BIN)/python -m pytest $(ENGINE_TESTS); \
	elif [ -n "$$CI" ]; then echo "No Java: in CI the tests on Apache Spark must run. Install a Java runtime 17 or newer."; exit 1; \
	else echo "No Java: the tests on Apache Spark were skipped. Install a Java runtime 17 or newer (Debian: apt install default-jre-headless)."; fi

parity: $(DEV_READY) $(JARS) ## every table from the sample and the real deliveries, on Sail and on Spark, compared
	@$(BIN)/python -m pytest -m 'soak or not soak' netflix_dagster_tests/parity

$(JARS): $(DEV_READY)
	@$(BIN)/netflix-dagster jars
	@touch $@

docs: $(READY) ## write the data dictionary anew from the contracts
	@$(BIN)/netflix-dagster contracts dictionary --to docs/data-dictionary.md

check: $(DEV_READY) ## lint, format, types, lock file, definitions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(UV) lock --check
	@$(BIN)/dagster definitions validate -w workspace.yaml

bench: $(DEV_READY) ## what it costs: compute, warm run, load, tick, memory
	@$(BIN)/python -m netflix_dagster_tests.bench

soak: $(DEV_READY) ## the long tests
	@$(BIN)/python -m pytest -m soak

clean: ## remove the sample lakehouse (not the environment)
	rm -rf data

$(UV):
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, {v[0]}.{v[1]} was found: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"

$(READY): $(UV) pyproject.toml uv.lock
	@echo "Installing the environment into $(VENV) (once) ..."
	@$(UV) sync --quiet --frozen --no-dev --inexact --compile-bytecode
	@touch $@

$(DEV_READY): $(READY)
	@$(UV) sync --quiet --frozen --inexact --compile-bytecode
	@touch $@

azurite: $(DEV_READY) ## the stand-in for Azure's storage that tests use (needs Node.js; without it they say so and skip)
	@if command -v npm >/dev/null; then $(MAKE) -s $(AZURITE); else echo "No npm: the tests on Azure's storage will be skipped."; fi

$(AZURITE): netflix_dagster_tests/emulators/package-lock.json
	@echo "Installing Azurite into $(VENV)/azurite (once) ..."
	@mkdir -p $(VENV)/azurite
	@cp netflix_dagster_tests/emulators/package.json netflix_dagster_tests/emulators/package-lock.json $(VENV)/azurite/
	@cd $(VENV)/azurite && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: help spark parity azurite azure-local run dev test docs check bench soak clean
