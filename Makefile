# Everything sets itself up: Python 3.11+, git and make are all that a machine needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
AZURITE := $(VENV)/azurite/node_modules
ACTIONLINT := $(BIN)/actionlint
ENGINE_TESTS := $(addprefix netflix_dagster_tests/,build contracts engine lake tables)
# In the order of their names: else files with few tests come last, which are the long ones, and one process waits.
BESIDE := --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

# The sample has folders of its own, so that it does not meet your deliveries: yours are data/landing and data/lake.
# `run` takes no folders from .env; the others do, and then show your lake.
ifeq ($(NETFLIX_ENV),azure)
SAMPLE_LANDING := $(or $(NETFLIX_LANDING),abfss://landing@$(NETFLIX_ACCOUNT).dfs.core.windows.net)
else
ON_SAMPLE := run $(if $(shell grep -s '^NETFLIX_LA' .env),,dev dashboard)
$(ON_SAMPLE): export NETFLIX_LANDING ?= $(CURDIR)/data/sample/landing
$(ON_SAMPLE): export NETFLIX_LAKE ?= $(CURDIR)/data/sample/lake
SAMPLE_LANDING = $(NETFLIX_LANDING)
endif
export UV_PYTHON_DOWNLOADS := never
export PYTHONWARNINGS ?= ignore::DeprecationWarning

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(READY) ## land sample deliveries in data/sample and build a whole lakehouse of them through Dagster
	@$(BIN)/netflix-dagster sample "$(SAMPLE_LANDING)"
	@$(BIN)/netflix-dagster run

# What the services tell of themselves is in the UI as well; here only their errors show, and what runs say.
dev: $(READY) ## dagster dev on the same lakehouse, sensors running: http://localhost:3000
	@echo "Dagster is at http://localhost:$${PORT:-3000} in a moment, until Ctrl-C. It shows $(or $(NETFLIX_LAKE),the lake of .env)."
	@DAGSTER_HOME=$$($(BIN)/netflix-dagster home) PYTHONWARNINGS='$(PYTHONWARNINGS),ignore:Function `dev_command`' \
		$(BIN)/dagster dev -w workspace.yaml --log-level error --port $${PORT:-3000}

azure-local: $(DEV_READY) azurite ## the Azure profile without an account: storage, identity and vault on this machine
	@$(BIN)/python -m netflix_dagster_tests.emulators.azure_local --port $${PORT:-3000}

test: $(DEV_READY) azurite ## the test suite; `make end-to-end`, `make cloud` and `make spark` are the rest of it
	@$(BIN)/python -m pytest -n 2 $(BESIDE) -m "not soak and not cloud and not end_to_end"
	@NETFLIX_ENGINE=spark $(BIN)/python -m netflix_dagster_tests.on_spark netflix_dagster_tests/lake/test_store.py

end-to-end: $(DEV_READY) azurite ## the tests of commands, of runs of Dagster, of pages in a browser, of the documents' examples, on real deliveries
	@$(BIN)/python -m pytest -n 2 $(BESIDE) -m "end_to_end and not soak"

# Its tests wait for servers more than they compute.
cloud: $(DEV_READY) azurite ## the tests on Azure and Databricks: real clients against protocol servers (needs Node.js)
	@$(BIN)/python -m pytest -n 3 $(BESIDE) -m "cloud and not soak"

spark: $(DEV_READY) sample-parity cluster ## the tests that touch the engine on Apache Spark, and the sample by both engines (needs Java 17)
	@NETFLIX_ENGINE=spark $(BIN)/python -m netflix_dagster_tests.on_spark -n 2 $(BESIDE) $(ENGINE_TESTS)

sample-parity: $(DEV_READY) ## every table from the sample, on Sail and on Spark, compared
	@$(BIN)/python -m netflix_dagster_tests.on_spark -m "soak and not real" -k "not goes_on" netflix_dagster_tests/parity

cluster: $(DEV_READY) ## a standalone Spark cluster on this machine, with Spark Connect, TLS and a token; a worker is killed
	@$(BIN)/python -m netflix_dagster_tests.on_spark -m soak netflix_dagster_tests/cluster

runtimes: $(DEV_READY) ## the job of Databricks with the versions of its runtimes (infra/pins.py), compared with ours
	@$(BIN)/python -m pytest -m soak netflix_dagster_tests/runtimes

parity: $(DEV_READY) ## every table from the real deliveries, on Sail and on Spark, compared; each goes on with the other's
	@$(BIN)/python -m netflix_dagster_tests.on_spark -m soak -k "real or goes_on" netflix_dagster_tests/parity

pipelines: $(DEV_READY) ## the contracts as a declarative pipeline, run by Apache Spark on the sample, and compared
	@$(BIN)/python -m netflix_dagster_tests.on_spark -m "soak or not soak" netflix_dagster_tests/pipelines

engines: $(DEV_READY) ## sample-parity and pipelines, beside each other
	@$(BIN)/python -m netflix_dagster_tests.on_spark -n 2 $(BESIDE) -m "soak and not real" -k "not goes_on" $(addprefix netflix_dagster_tests/,pipelines parity)

dashboard: $(READY) ## open the dashboard, made anew from the lake
	@$(BIN)/netflix-dagster dashboard --open

docs: $(DEV_READY) ## write the data dictionary and the project of Power BI anew from the contracts
	@$(BIN)/netflix-dagster contracts dictionary --to docs/data-dictionary.md
	@$(BIN)/netflix-dagster contracts powerbi --to infra/powerbi --picture docs/images/powerbi.svg

docs-site: $(DEV_READY) ## build/site: the documents as a site; a link that leads nowhere fails
	@$(UV) sync --quiet --frozen --inexact --group site
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs build/site
	@echo "build/site/index.html"

version: $(DEV_READY) ## what the next build will be called: the tag, or what comes after it
	@$(BIN)/python -m setuptools_scm

check: $(DEV_READY) lint-files ## lint, format, types, lock file, definitions, workflows, scripts, Dockerfile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(UV) lock --check
	@$(BIN)/dagster definitions validate -w workspace.yaml
	@$(BIN)/dg check defs

lint-files: $(DEV_READY) ## workflows, scripts and the Dockerfile; actionlint needs Go, without it says so
	@$(BIN)/shellcheck .ci/run infra/*.sh infra/*/*.sh
	@$(BIN)/hadolint infra/containers/Dockerfile
	@$(BIN)/zizmor --quiet --offline --no-progress .github
	@if command -v go >/dev/null; then $(MAKE) -s $(ACTIONLINT) && PATH="$(BIN):$$PATH" $(ACTIONLINT); else echo "No go: actionlint is skipped."; fi

install: $(READY) ## the environment, without the tools for development

access: $(READY) ## write the rights of infra/access.yaml into the Databricks bundle, and the scripts of Synapse
	@$(BIN)/python -m infra.access bundle
	@$(BIN)/python -m infra.access synapse

adf: $(READY) ## write the data factory of infra/adf from sources.yaml
	@$(BIN)/python -m infra.adf

infra-check: $(DEV_READY) ## Azure as code: types, and every stack against public rules, with Pulumi's mocks
	@$(UV) sync --quiet --frozen --inexact --group infra
	@$(BIN)/mypy --strict infra & types=$$!; \
		$(BIN)/python -m pytest -m "soak or not soak" $(addprefix netflix_dagster_tests/infra/,test_azure.py test_access.py); \
		tests=$$?; wait $$types && exit $$tests

package: $(READY) ## dist/: the wheel, and a list of all parts that it is installed with (CycloneDX)
	@rm -rf dist
	@$(UV) build --quiet --wheel --out-dir dist
	@$(UV) export --quiet --frozen --no-dev --no-emit-project --extra azure --extra powerbi --format cyclonedx1.5 --preview-features sbom-export --output-file dist/sbom.json >/dev/null

newest: $(DEV_READY) ## the tests with the newest versions of everything that pyproject.toml leaves open
	@$(UV) sync --quiet --upgrade --inexact
	@$(BIN)/python -m pytest -n 2 $(BESIDE) -m "not soak and not cloud"

bench: $(DEV_READY) ## what it costs: compute, warm run, load, tick, memory
	@$(BIN)/python -m netflix_dagster_tests.bench

bench-scale: $(DEV_READY) ## how costs grow with deliveries, written to docs/performance.md (NETFLIX_PARTS, NETFLIX_SCALE)
	@$(BIN)/python -m netflix_dagster_tests.bench_scale

soak: $(DEV_READY) ## the long tests, among them 300 histories of deliveries against the model (NETFLIX_SOAK=n: so many)
	@$(BIN)/python -m pytest -m soak

clean: ## remove the sample lakehouse (not yours, nor the environment)
	rm -rf data/sample

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

$(ACTIONLINT): | $(DEV_READY)
	@GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

$(AZURITE): netflix_dagster_tests/emulators/package-lock.json
	@echo "Installing Azurite into $(VENV)/azurite (once) ..."
	@mkdir -p $(VENV)/azurite
	@cp netflix_dagster_tests/emulators/package.json netflix_dagster_tests/emulators/package-lock.json $(VENV)/azurite/
	@cd $(VENV)/azurite && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: help install version docs-site lint-files access adf infra-check package newest spark sample-parity cluster runtimes parity pipelines engines azurite azure-local run dev dashboard test end-to-end cloud docs check bench bench-scale soak clean
