# make run    train an agent on CartPole (4 minutes on 2 cores); ARGS="--preset=…" adds flags
# make test   the fast tests (10 minutes at most)
# make check  lint, types, fast tests
# make bench  the slow tests and the speed ratios
# make docs   the API pages, in docs/_build
# Each makes .venv first, if it is missing or setup.py has changed.

VENV ?= .venv
ARGS ?=
PYTHON := $(VENV)/bin/python
DEADLINE_S := 600

# Tests import TensorFlow in each worker, 5 s; two workers still halve the time.
WORKERS ?= 2

.PHONY: run test lint check bench docs
.DEFAULT_GOAL := run

$(VENV)/.installed: setup.py scripts/make_env.sh
	@scripts/make_env.sh $(VENV)

run: $(VENV)/.installed
	$(PYTHON) -m experiments.train --env=CartPole-v1 --preset=predictive --seed=0 --steps=15000 $(ARGS)

test: $(VENV)/.installed
	@timeout --signal=INT --kill-after=30 $(DEADLINE_S) \
	  $(PYTHON) -m pytest -m "not slow" -n $(WORKERS) --dist=loadfile $(ARGS) \
	  || { status=$$?; case $$status in 124|137) echo "error: the tests took more than $(DEADLINE_S) s" >&2;; esac; exit $$status; }

lint: $(VENV)/.installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

check: lint test

bench: $(VENV)/.installed
	$(PYTHON) -m pytest -m slow $(ARGS)
	$(PYTHON) -m experiments.bench_speed

docs: $(VENV)/.installed
	$(PYTHON) -m pip install --disable-pip-version-check --quiet -e '.[docs]'
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build
