# make classify | test | lint | bench | samples
# Everything is installed into virtual environments in this folder; nothing else is touched.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP = -m pip install --quiet --disable-pip-version-check

.PHONY: help classify test lint format bench samples clean

help:
	@echo 'make classify  set up without TensorFlow and classify the bundled synthetic phantoms'
	@echo 'make test      set up with everything and run all tests'
	@echo 'make lint      ruff and mypy'
	@echo 'make format    let ruff rewrite what it can'
	@echo 'make bench     measure, side by side in one run; figures go to build/bench'
	@echo 'make samples   draw the bundled synthetic phantoms again'
	@echo 'make clean     remove the virtual environments and caches'

classify: .venv/installed
	.venv/bin/oct-edge classify models/oct_models/samples

test: .venv/installed .venv-dev/installed
	.venv-dev/bin/python -m pytest $(TESTS)

lint: .venv-dev/installed
	.venv-dev/bin/ruff check
	.venv-dev/bin/ruff format --check
	.venv-dev/bin/mypy

format: .venv-dev/installed
	.venv-dev/bin/ruff check --fix
	.venv-dev/bin/ruff format

bench: .venv/installed .venv-dev/installed
	mkdir -p build/bench
	cd build/bench && ../../.venv/bin/python ../../benchmarks/cold.py
	for script in xla frozen_features; do (cd build/bench && ../../.venv-dev/bin/python ../../benchmarks/$$script.py) || exit 1; done

samples: .venv-dev/installed
	.venv-dev/bin/python -m oct_trainer.phantom.samples models/oct_models/samples

clean:
	rm -rf .venv .venv-dev .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The versions in constraints/ are those of Python 3.11; say so before pip does in its own way.
PYTHON_CHECK = $(PYTHON) -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 11) else "make needs Python 3.11; name one with PYTHON=")'

.venv/installed: pyproject.toml constraints/edge.txt
	@$(PYTHON_CHECK)
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -c constraints/edge.txt -e .
	touch $@

.venv-dev/installed: pyproject.toml constraints/dev.txt
	@$(PYTHON_CHECK)
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/python $(PIP) -c constraints/dev.txt -e '.[train,tflite,dev]'
	touch $@
