# make classify | test | faults | fuzz | systemd | lint | bench | nightly | mediapipe | arm64 | powercut | samples | cards
# Everything is installed into virtual environments in this folder; nothing else is touched.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP = -m pip install --quiet --disable-pip-version-check

.PHONY: help classify test faults fuzz systemd lint format bench mediapipe arm64 powercut nightly samples cards clean

help:
	@echo 'make classify  set up without TensorFlow and classify the bundled synthetic phantoms'
	@echo 'make test      set up with everything and run all tests'
	@echo 'make faults    kill, starve and damage the watching daemon for minutes (docs/faults.md)'
	@echo 'make fuzz      read COUNT=20000 mutated pictures, or for SECONDS=, from SERIES=1; what breaks the reader is kept'
	@echo 'make systemd   boot the service in containers and kill, stop and reboot it; needs root, mmdebstrap, systemd-nspawn'
	@echo 'make lint      ruff and mypy'
	@echo 'make format    let ruff rewrite what it can'
	@echo 'make bench     measure, side by side in one run; figures go to build/bench'
	@echo 'make mediapipe  set up MediaPipe in an environment of its own; make test then reads the models with it too'
	@echo 'make nightly   the tests that take minutes, arm64 and powercut among them'
	@echo 'make arm64     hold emulated ARM boards against this machine; needs root, mmdebstrap and qemu-user-static'
	@echo 'make powercut  cut the power of a watching machine, CYCLES=10 times; needs root, mmdebstrap and qemu-system-x86'
	@echo 'make samples   draw the bundled synthetic phantoms again'
	@echo 'make cards     write docs/model-card.md from the cards of the bundled models'
	@echo 'make clean     remove the virtual environments and caches'

classify: .venv/installed
	.venv/bin/oct-edge classify models/oct_models/samples

test: .venv/installed .venv-dev/installed
	.venv-dev/bin/python -m pytest $(TESTS)

faults: .venv/installed .venv-dev/installed
	.venv-dev/bin/python -m pytest -m '' tests/system/test_watch*.py tests/system/test_faults*.py tests/system/test_fault_table.py

fuzz: .venv-dev/installed
	.venv-dev/bin/python scripts/fuzz/run $(COUNT:%=--count %) $(SECONDS:%=--seconds %) $(SERIES:%=--series %)

systemd: .venv-dev/installed
	.venv-dev/bin/python -m pytest -m '' tests/system/nspawn tests/system/test_systemd_unit.py tests/edge/test_cli_service.py

lint: .venv-dev/installed
	.venv-dev/bin/ruff check
	.venv-dev/bin/ruff format --check
	.venv-dev/bin/mypy

format: .venv-dev/installed
	.venv-dev/bin/ruff check --fix
	.venv-dev/bin/ruff format

bench: .venv/installed .venv-dev/installed
	mkdir -p build/bench
	for script in cold folder daemon ledger memory; do (cd build/bench && ../../.venv/bin/python ../../benchmarks/$$script.py) || exit 1; done
	for script in quantization xla frozen_features; do (cd build/bench && ../../.venv-dev/bin/python ../../benchmarks/$$script.py) || exit 1; done

# Not a part of the others: half a gigabyte and OpenGL's libraries, for one more reader.
mediapipe: .venv-mediapipe/installed

nightly: .venv-dev/installed
	.venv-dev/bin/python -m pytest -m nightly $(TESTS)

arm64: .venv-dev/installed
	PYTHON=.venv-dev/bin/python scripts/arm64/run

powercut: .venv-dev/installed
	PYTHON=.venv-dev/bin/python scripts/powercut/run $(CYCLES:%=--cycles %) $(SEED:%=--seed %) $(MUTANT:%=--mutant %)

samples: .venv-dev/installed
	.venv-dev/bin/python -m oct_trainer.phantom.samples models/oct_models/samples

cards: .venv/installed
	.venv/bin/python -m oct_converters.inspection.model_card docs/model-card.md

clean:
	rm -rf build/arm64 build/nspawn build/powercut .venv .venv-dev .venv-mediapipe .pytest_cache .mypy_cache .ruff_cache .hypothesis

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

.venv-mediapipe/installed: constraints/mediapipe.txt
	@$(PYTHON_CHECK)
	$(PYTHON) -m venv .venv-mediapipe
	.venv-mediapipe/bin/python $(PIP) -c constraints/mediapipe.txt mediapipe
	touch $@
