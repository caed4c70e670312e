# Everything a person runs. `make up` and `make test` set up whatever they need first.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform
ARGS ?=

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: up
up: venv ## Start everything (ARGS=--detach: in the background)
	@$(BIN)/python -m supervisor up $(ARGS)

.PHONY: down
down: venv ## Stop everything that `make up` started
	@$(BIN)/python -m supervisor down

.PHONY: demo-reset
demo-reset: venv ## Put the demo back to its first state: all data is deleted
	@$(BIN)/python -m supervisor reset $(ARGS)

.PHONY: manage
manage: venv ## Run a Django command on the data of `make up` (ARGS="shell")
	@$(BIN)/python -m supervisor manage $(ARGS)

.PHONY: venv
venv: ## Install what serving needs into .venv
	@scripts/venv.sh

.PHONY: venv-dev
venv-dev: ## Install what tests and checks need into .venv
	@scripts/venv.sh dev

.PHONY: compile
compile: venv-dev ## Compile the router: a third less CPU per request (needs a C compiler)
	@$(BIN)/python scripts/compile_router.py

.PHONY: compile-if-possible
compile-if-possible: venv-dev
	@$(BIN)/python scripts/compile_router.py --if-possible

.PHONY: test
test: venv-dev compile-if-possible ## Run every test (ARGS="-k wake" for some)
	@$(BIN)/python -m pytest -n 2 $(ARGS)

.PHONY: check
check: venv-dev ## Run linters, types, import contracts, migrations check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/djlint --check --quiet templates

COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) \
	--env-file var/compose.env

.PHONY: compose-up
compose-up: ## Start everything in containers (secrets: var/compose.env)
	@scripts/compose_env.sh
	$(COMPOSE) up -d --build

.PHONY: compose-down
compose-down: ## Stop the containers; the data stays in its volumes
	$(COMPOSE) down

.PHONY: compose-images
compose-images: ## Make the images of compose.yaml from Debian packages, without a registry
	@scripts/compose_env.sh var/compose.env $$(scripts/compose_images.sh | grep =)

.PHONY: format
format: venv-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench-wake
bench-wake: venv-dev ## Measure what waking costs (FULL=1: at full size; ONLY=drowsy,held: some phases)
	@$(BIN)/python -m benchmarks.wake

.PHONY: bench-faults
bench-faults: venv-dev ## Hurt a running installation at random (SECONDS=180 MODELS=4 CALLERS=12 SEED=1)
	@$(foreach each,SECONDS MODELS CALLERS SEED,$(if $($(each)),$(each)=$($(each)))) \
		$(BIN)/python -m benchmarks.faults

.PHONY: bench-metering
bench-metering: venv-dev ## Measure recording, shipping, proving and telling usage (ROWS=10000000 EVENTS=200000)
	@$(if $(ROWS),ROWS=$(ROWS)) $(if $(EVENTS),EVENTS=$(EVENTS)) $(BIN)/python -m benchmarks.metering

.PHONY: lock
lock: ## Resolve the dependencies again into the two lock files
	uv pip compile -q pyproject.toml --extra embedded --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links -o requirements.lock
	uv pip compile -q pyproject.toml --extra embedded --group dev -c requirements.lock --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links -o requirements-dev.lock

.PHONY: bench-router
bench-router: venv-dev compile-if-possible ## Measure the router beside nginx (FULL=1: and others; ROUNDS=5 SECONDS_EACH=5)
	@$(BIN)/python -m benchmarks.router

.PHONY: bench-restarts
bench-restarts: venv-dev compile-if-possible ## Restart the router under load, and count what fails (COUNT=20)
	@$(BIN)/python -m benchmarks.router.restarts $(or $(COUNT),20)

.PHONY: fuzz-router
fuzz-router: venv-dev compile-if-possible ## Send broken requests to a router (COUNT=200000 SEED=1)
	@$(BIN)/python -m benchmarks.router.fuzz $(or $(COUNT),200000) $(or $(SEED),1)
