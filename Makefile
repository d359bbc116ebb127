# Every target sets up .venv by itself where it is missing or older than the pinned versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: quickstart test unit slow check calibrate adaptive oracles bench gradients parity inspect \
	install clean

quickstart: $(STAMP)  ## fine-tune at several doses, test every model, write the report
	$(BIN)/datadose run examples/quickstart.yaml

test: $(STAMP)  ## all tests, on two cores
	$(BIN)/python -m pytest -n 2 --dist loadfile

unit: $(STAMP)  ## quick tests only
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

check: $(STAMP)  ## ruff, mypy --strict, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

calibrate: $(STAMP)  ## coverage of the thresholds' limits by simulation, into docs/results
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/calibrate.py $(ARGS)

adaptive: $(STAMP)  ## doses chosen one by one against a fixed grid, by simulation, into docs/results
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/adaptive.py $(ARGS)

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[local,hf,served,inspect,lm-eval,dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache

PEERS := pybmds psignifit robustmargin

oracles: $(STAMP) $(PEERS:%=.oracles/%/.installed)  ## thresholds beside the peers', into tests/golden and docs/results
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/oracles/compare.py $(ARGS)

bench: $(STAMP) .oracles/lm-eval/.installed  ## the same four arms by datadose and by its peers, into docs/results
	$(BIN)/python benchmarks/four_arms.py $(ARGS)

parity: $(STAMP) .oracles/lm-eval/.installed  ## multiple choice by datadose and by lm-evaluation-harness, item by item
	$(BIN)/python benchmarks/lm_eval_parity.py --keep runs/lm-eval-parity \
		--out docs/results/lm-eval-parity.md $(ARGS)

gradients: $(STAMP) .oracles/bergson/.installed  ## gradient scores beside autograd and bergson, memory, the recorder's cost
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/gradients.py $(ARGS)

# it asks for more than runs on a CPU, so that its list is whole and nothing else is fetched
.oracles/bergson/.installed: benchmarks/oracles/bergson.txt
	test -x .oracles/bergson/bin/python || $(PYTHON) -m venv .oracles/bergson
	.oracles/bergson/bin/python -m pip install --quiet --no-deps -r $<
	touch $@

inspect: $(STAMP) .oracles/inspect-evals/.installed  ## an Inspect task of others on arms of a run, and its log in a browser
	PYTHONPATH=.oracles/inspect-evals/site-packages $(BIN)/python benchmarks/inspect_task.py $(ARGS)

# tasks of others run in our own environment, so they lie beside it without their requirements
.oracles/inspect-evals/.installed: benchmarks/oracles/inspect-evals.txt
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .oracles/inspect-evals/site-packages -r $<
	touch $@

# every peer in an environment of its own, since their pins clash
.oracles/%/.installed: benchmarks/oracles/%.txt
	test -x .oracles/$*/bin/python || $(PYTHON) -m venv .oracles/$*
	.oracles/$*/bin/python -m pip install --quiet -r $<
	touch $@
