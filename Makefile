# Everything starts here: `make report` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
DATA ?= shop
OUT ?= reports
# The newest Python that is there, 3.11 at least: named ones first, for systems whose python3 is older.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
RUN := $(BIN)/python -m crmlab.cli

.PHONY: help setup setup-dev report test proofs nightly lab bench lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: # .venv from requirements.lock; nothing where it is there already
	@test -n "$(PYTHON)" || { echo "crmlab needs Python 3.11 or newer. None was found: install one, or name it: make report PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/setup_env.py

setup-dev:
	@test -n "$(PYTHON)" || { echo "crmlab needs Python 3.11 or newer. None was found: install one, or name it: make test PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/setup_env.py --dev

report: setup ## render every report that a data set allows: make report DATA=cdnow
	@$(RUN) run --data "$(DATA)" --out "$(OUT)"

NBVAL = $(BIN)/python -m pytest --nbval-lax -n 2 --dist loadfile -q -p no:cacheprovider -o addopts="" -o testpaths=notebooks

test: setup-dev lint ## style, types, notebooks, and all tests but the long ones
	@# customer_profile needs a customer: make proofs runs it with one.
	@# Notebooks of the same data set work out once what several need, as those of a run do.
	@rm -rf .cache/notebooks && mkdir -p .cache/notebooks
	CRMLAB_SHARED="$(CURDIR)/.cache/notebooks" $(NBVAL) --ignore=notebooks/customer_profile.ipynb --ignore=notebooks/explore notebooks
	$(BIN)/python -m pytest -n 2 --dist loadfile -q --durations=10

proofs: setup-dev ## the long ones: whole reports, browsers, Spark, servers, attacks
	$(NBVAL) notebooks/explore
	$(BIN)/python -m pytest -m "proof and not nightly" -n 2 --dist loadfile -q --durations=10

nightly: setup-dev ## the slowest proofs, run by hand before an issue is closed
	$(BIN)/python -m pytest -m nightly -q -s

lint: setup-dev ## style, types and the rules of imports
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache

format: setup-dev ## bring the code into form
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

lab: setup ## open JupyterLab in notebooks/
	$(RUN) lab

bench: setup-dev ## print every promised ratio against a peer
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock: ## write both locks anew (needs uv)
	tools/lock.sh

clean: ## remove the cache of data sets, and what tests left
	rm -rf .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find crmlab tests notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf
