# Everything from one place: `make demo` and `make test` set themselves up.
# The environment lives in .venv, a copy of uv (where the machine has none) in .tools;
# nothing else on the machine is changed.

PYTHON ?= python3
UV_VERSION := 0.13.9
LOCAL_UV := .tools/uv-venv/bin/uv
UV := $(or $(shell command -v uv 2>/dev/null),$(LOCAL_UV))
BIN ?= .venv/bin
STAMP := .venv/.stamp
RUN ?= runs/demo
LINTERS := ruff format types imports docstrings spelling

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint $(LINTERS:%=lint-%) bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

setup: $(STAMP)  ## make .venv with the locked versions and install the package into it

demo: $(STAMP)  ## run the main job on the demo cohort; ends with a report and maps in runs/demo
	$(BIN)/bayes-mdd demo --output $(RUN) --force

test: $(STAMP)  ## run the tests (ARGS="-k word" to choose)
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(STAMP)  ## run the slow calibration suites
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(STAMP)  ## style, types, import direction, docstrings, spelling
	@$(MAKE) --no-print-directory --keep-going $(LINTERS:%=lint-%)

bench: $(STAMP)  ## time the main job
	$(BIN)/python benchmarks/run.py $(ARGS)

lock: | $(filter $(LOCAL_UV),$(UV))  ## resolve the versions again (requirements.lock)
	$(UV) pip compile pyproject.toml --extra dev --extra jax --python-version 3.12 --universal \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

clean:  ## remove the environment, the local uv and the caches (runs/ stays)
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

# The single linters have no set-up of their own, so that a test can run them where it runs.
lint-ruff:
	$(BIN)/ruff check .
lint-format:
	$(BIN)/ruff format --check .
lint-types:
	$(BIN)/mypy
lint-imports:
	$(BIN)/lint-imports --no-logo
lint-docstrings:
	$(BIN)/numpydoc lint --config . $$(find bayes_mdd -name '*.py')
lint-spelling:
	$(BIN)/codespell

# The system's pip refuses to install (PEP 668), so uv gets a venv of its own. From / the
# .python-version of this folder does not bind pyenv, whatever Python it has will do.
$(LOCAL_UV):
	here="$$(pwd)" && cd / && $(PYTHON) -m venv "$$here/.tools/uv-venv"
	.tools/uv-venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): pyproject.toml requirements.lock .python-version | $(filter $(LOCAL_UV),$(UV))
	test "$$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" \
	  = "$$(cat .python-version)" || { rm -rf .venv && $(UV) venv --quiet --python "$$(cat .python-version)" .venv; }
	$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	touch $@
