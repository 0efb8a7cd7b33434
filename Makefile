# make run    train an agent on CartPole (4 minutes on 2 cores); ARGS="--preset=…" adds flags
# make test   the fast tests (8 minutes on 2 quiet cores)
# make check  lint, types, fast tests
# make bench  the slow tests, the learning figures, the ablations and the speed ratios: hours
# make docs   the API pages, in docs/_build
# Each makes .venv first, if it is missing or setup.py has changed.

VENV ?= .venv
ARGS ?=
PYTHON := $(VENV)/bin/python
# A hang ends; on two quiet cores the tests take 8 minutes.
DEADLINE_S := 1200

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

# A missed figure does not keep the next from being measured; `make` fails at the end.
bench: $(VENV)/.installed
	@failed=0; \
	$(PYTHON) -m pytest -m slow $(ARGS) || failed=1; \
	for task in cartpole pendulum t_maze reactive_vs_dqn mountain_car; do \
	  $(PYTHON) -m experiments.learning --task=$$task || failed=1; \
	done; \
	$(PYTHON) -m experiments.inverse_goal || failed=1; \
	$(PYTHON) -m experiments.ablations || failed=1; \
	$(PYTHON) -m experiments.bench_speed || failed=1; \
	$(PYTHON) -m experiments.bench_driver || failed=1; \
	for task in cartpole acrobot mountain_car; do \
	  $(PYTHON) -m experiments.synaptic --task=$$task || failed=1; \
	done; \
	$(PYTHON) -m experiments.bench_synaptic || failed=1; \
	$(PYTHON) -m experiments.forage || failed=1; \
	$(PYTHON) -m experiments.bench_body || failed=1; \
	$(PYTHON) -m experiments.bench_guards || failed=1; \
	$(PYTHON) -m experiments.bench_replay || failed=1; \
	$(PYTHON) -m experiments.bench_checkpoint || failed=1; \
	exit $$failed

docs: $(VENV)/.installed
	$(PYTHON) -m pip install --disable-pip-version-check --quiet -e '.[docs]'
	$(PYTHON) -m sphinx -q -b html docs/api docs/_build
