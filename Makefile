# `make run` and `make test` do all the set-up a fresh machine needs: Python 3.11 or later, and pip.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: run test check fix bench soak docs clean

run: $(INSTALLED)  ## train the bundled digits
	$(BIN)/dnnlab train configs/digits.yaml
	@echo "(the command dnnlab is in .venv/bin; to have it in this shell: . .venv/bin/activate)"

test: $(INSTALLED)  ## run the tests
	$(BIN)/python -m pytest -n auto

check: $(INSTALLED)  ## format, lint, types and tests: what has to hold before a change is done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

fix: $(INSTALLED)  ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## compare speed with hand-written loops, on this machine
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/whole_run.py

soak: $(INSTALLED)  ## kill, fill, fuzz and mutate for the better part of an hour; prints figures
	$(BIN)/python -m tests.reliability.soak

docs: $(INSTALLED)  ## write again what is derived from the code: the reference and the schema
	$(BIN)/dnnlab schema --out configs/dnnlab.schema.json
	$(BIN)/dnnlab describe --all > docs/reference.md

clean:  ## remove what can be made again; runs/ and .venv stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find dnnlab tests benchmarks -name __pycache__ -type d -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	$(BIN)/python -m compileall -q dnnlab
	touch $@
