# Fresh machine: `make run` opens the chat, `make test` runs the tests. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test setup quick check lint gate evals bench golden clean

run: setup
	$(BIN)/python -m ingest build
	$(BIN)/python -m bot chat

test: setup
	$(BIN)/python -m pytest

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. Install it, then run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

quick: setup
	$(BIN)/python -m pytest -m 'not real'

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test gate

# The evaluation keeps to an index of its own, so that it never depends on what a person added to theirs.
EVALS_DATA ?= .data/evals

.PHONY: evals-index
evals-index: setup
	@$(BIN)/python -m ingest build --data $(EVALS_DATA)

# A fixed subset of the cases against the thresholds of evals/gate.yaml and against the baseline.
gate: evals-index
	$(BIN)/python -m evals run --fast --gate --data $(EVALS_DATA) --json reports/fast.json

evals: evals-index
	$(BIN)/python -m evals run --gate --data $(EVALS_DATA) --json reports/evals.json --html reports/evals.html --junit reports/evals.xml

bench: evals-index
	$(BIN)/python -m evals bench --data $(EVALS_DATA) --json reports/bench.json

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache reports
