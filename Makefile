# Paths stay relative, so that the checkout may lie below a directory with spaces in its name.
MAKEFLAGS += --no-print-directory
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo $$python && break; done)

# A virtual environment holds absolute paths: the stamps of a checkout that was moved do not count.
here := $(shell pwd | cksum | cut -d ' ' -f 1)
user_venv := .venv/.user-$(here)
test_venv := .venv/.test-$(here)
node_modules := node_modules/.package-lock.json
run := .venv/bin/python
install = $(if $(PYTHON),,$(error Hookline needs Python 3.11 or newer: make PYTHON=/path/to/python3)) \
  test -x $(run) || $(PYTHON) -m venv .venv; \
  $(run) -m pip install -qq --disable-pip-version-check --root-user-action=ignore --editable

.PHONY: help demo test lint bench

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

demo: $(user_venv)  ## a PDF becomes durable job state, on this machine, without any account
	@.venv/bin/hookline demo

# Images of Python set PYTHONDONTWRITEBYTECODE: each process would compile all that it imports.
test: $(test_venv) $(node_modules)  ## all tests; make test ARGS='-k migrate' for some
	@PYTHONDONTWRITEBYTECODE= $(run) -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

lint: $(test_venv)  ## style, types, and generated files that are up to date
	@$(run) -m ruff check --quiet
	@$(run) -m ruff format --check --quiet
	@$(run) -m mypy --no-error-summary
	@$(run) db/build.py --check

bench: $(test_venv)  ## the measurements, as ratios within one run
	@$(run) tests/bench $(ARGS)

$(user_venv): pyproject.toml
	@echo 'Installing hookline into .venv'
	@$(install) '.[embedded,local]'
	@touch $@

$(test_venv): pyproject.toml
	@echo 'Installing hookline and its test tools into .venv'
	@$(install) '.[test]'
	@touch $(user_venv) $@

$(node_modules): package.json package-lock.json
	@echo 'Installing pgTAP and the Supabase CLI into node_modules'
	@npm ci --silent --no-audit --no-fund
	@touch $@
