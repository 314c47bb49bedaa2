# make run    the main case: ice melting in brine on two scales
# make test   formatter, linter, type checker and all tests; ENGINE=precice runs them on libprecice
# make test-long  the few tests that take longest
# make bench  what exchange, mappings, quasi-Newton, cell problems and solids cost; ENGINE=precice puts libprecice beside it
# make torture breaks 100 runs and 10,000 configurations, and writes torture/RESULT.md
# Each sets up .venv by itself; PYTHON=/path/to/python3.12 chooses the interpreter.

ENGINE ?= embedded
EXTRAS_TEST = dev$(if $(filter precice,$(ENGINE)),$(comma)precice)
comma := ,
INSTALLED = pyproject.toml constraints.txt tools/setup

.PHONY: run test test-long lint format bench torture setup clean

run: .venv/.installed-fem
	.venv/bin/scalebridge run phase-change --engine $(ENGINE)

test: lint
	ENGINE=$(ENGINE) .venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-long: lint
	ENGINE=$(ENGINE) .venv/bin/python -m pytest -m long

lint: .venv/.installed-$(EXTRAS_TEST)
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy

format: .venv/.installed-dev
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

bench: .venv/.installed-$(EXTRAS_TEST)
	.venv/bin/python -m benchmarks

torture: .venv/.installed-$(EXTRAS_TEST)
	.venv/bin/python -m torture --table torture/RESULT.md

setup: .venv/.installed-$(EXTRAS_TEST)

.venv/.installed-%: $(INSTALLED)
	tools/setup $*
	@touch $@

clean:
	rm -rf .venv runs build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
