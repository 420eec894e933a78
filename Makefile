# Everything starts here: `make demo` and `make test`. Each makes .venv first and is quick the second time.

FAMILIES ?= 10000
SERVE ?= --serve
WORKERS ?= 2
GUESSES ?= 1000000
SOAK_FAMILIES ?= 10000000
# The system's own first: distributions build it with optimisations that others often lack, a fifth of a page's time.
PYTHON ?= $(shell \
	/usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || \
	for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.ready
SPARK := .venv/.spark
COMPILE := $(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --no-header

.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-nation spark soak lock styles clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "  FAMILIES=$(FAMILIES) sets the size of the demo, WORKERS=$(WORKERS) the test processes."

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Salur needs Python 3.11 or newer, and none was found. Install it (for example: apt-get install python3 python3-venv), or run make PYTHON=/path/to/python."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Salur needs Python 3.11 or newer; $(PYTHON) is older or does not run."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv."; exit 1; }
	@echo "Making .venv with $(PYTHON) and the packages of requirements.lock …"
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || "$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## Decide one real regency and open its office in the browser; FAMILIES=680000 for all of it
	@$(BIN)/salur demo --families $(FAMILIES) $(SERVE)

test: check ## Format, lint, types, import contracts, and every test
	@echo "Tests …"
	@$(BIN)/python -m pytest -n $(WORKERS)

check: $(STAMP) ## Format, lint, types and import contracts only
	@echo "Format …"
	@$(BIN)/ruff format --check .
	@echo "Lint …"
	@$(BIN)/ruff check .
	@echo "Types …"
	@$(BIN)/mypy
	@echo "Imports …"
	@$(BIN)/lint-imports

bench: $(STAMP) ## Measure, and print ratios, at a million and ten million families
	@$(BIN)/python -m bench --large

bench-nation: $(STAMP) ## All of Indonesia on this machine, in resumable stages; needs 10 GB of disk
	@$(BIN)/python -m bench nation

$(SPARK): requirements-spark.lock $(STAMP)
	@echo "Adding the packages of requirements-spark.lock, some 450 MB …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation \
		-r requirements-spark.lock
	@touch $@

spark: $(SPARK) ## Add PySpark to .venv, for --engine spark and its tests (Java 17 comes from the system)

soak: $(SPARK) ## A million claim codes and NIKs guessed on each database; ten million families decided, killed three times; a million on a Spark cluster that loses a worker
	@SALUR_GUESSES=$(GUESSES) $(BIN)/python -m pytest -q -n $(WORKERS) -rP --show-capture=stdout tests/citizens/test_guesses.py
	@$(BIN)/python -m bench.claims
	@$(BIN)/python -m tests.core.rules.soak_killed --families $(SOAK_FAMILIES)
	@$(BIN)/python -m tests.core.rules.soak_spark

lock: $(STAMP) ## Write requirements.lock and requirements-spark.lock anew from pyproject.toml
	@$(COMPILE) --extra postgres --extra dev --extra bench --all-build-deps --output-file requirements.lock \
		pyproject.toml
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["spark"])' \
		| $(COMPILE) --output-file requirements-spark.lock -

styles: ## Compile styles/ into the one stylesheet (needs Node.js)
	@cd styles && npm ci --silent --no-audit --no-fund && npm run --silent build

clean: ## Remove .venv and the caches of the tools
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
