# What people and CI run. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= dev
T ?=
TEST_JOBS ?= 2
# Where `make test-production` and the smoke test of `make test` find PostgreSQL, Redis and RabbitMQ.
export TEST_DATABASE_URL ?= postgresql://postgres@127.0.0.1:5432/equipoise
export TEST_REDIS_URL ?= redis://127.0.0.1:6379/15
export TEST_RABBITMQ_URL ?= amqp://guest:guest@127.0.0.1:5672//

SPECTACULAR := DJANGO_SETTINGS_MODULE=equipoise.config.settings.test $(BIN)/python manage.py spectacular --validate --fail-on-warn
FRONTEND := $(wildcard frontend/package.json)
FAST := not slow and not production and not smoke and not e2e
PYTEST := $(BIN)/pytest -p tests.folder_times
# Exit code 5 means that no test has the marker, which is no failure of the tests that there are.
NONE_IS_FINE := || [ $$? -eq 5 ]

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# --- installing ---------------------------------------------------------------------------------------------------
.PHONY: install
install: $(VENV)/.installed $(if $(FRONTEND),frontend/node_modules/.package-lock.json) ## Install everything that development and the embedded site need

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund
	touch $@

.PHONY: constraints
constraints: ## Write constraints.txt from what is installed now
	$(BIN)/pip freeze --exclude-editable | grep -v '^-e ' | sed -E 's/\+cpu$$//' | LC_ALL=C sort -f > constraints.txt

# Tools that are no part of the program, apart from what they look at.
$(VENV)/tools/.installed: Makefile
	test -x $(VENV)/tools/bin/python || $(PYTHON) -m venv $(VENV)/tools
	$(VENV)/tools/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1 uv==0.13.9
	touch $@

.PHONY: lock
lock: $(VENV)/tools/.installed ## Write docker/requirements: versions and hashes of what goes into the images
	docker/lock $(VENV)/tools/bin/uv

.PHONY: build
build: install ## Build the frontend into frontend/dist
ifneq ($(FRONTEND),)
	cd frontend && npm run build
endif

# --- checking -----------------------------------------------------------------------------------------------------
.PHONY: check check-format check-lint check-types check-layers check-migrations check-schema check-frontend
check: install check-format check-lint check-types check-layers check-migrations check-schema check-frontend ## Everything a machine can check without running tests

check-format: install
	$(BIN)/ruff format --check .
check-lint: install
	$(BIN)/ruff check .
check-types: install
	$(BIN)/mypy
check-layers: install
	$(BIN)/lint-imports
check-migrations: install
	DJANGO_SETTINGS_MODULE=equipoise.config.settings.test $(BIN)/python manage.py makemigrations --check --dry-run
check-schema: install
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	$(SPECTACULAR) --file "$$work/schema.yaml"; \
	diff -u frontend/src/api/schema.yaml "$$work/schema.yaml" || { echo 'The schema is not what the code says: run `make schema`.'; exit 1; }; \
	(cd frontend && npx --no-install openapi-typescript "$$work/schema.yaml" -o "$$work/schema.d.ts" > /dev/null); \
	diff -u frontend/src/api/schema.d.ts "$$work/schema.d.ts" || { echo 'The types are not what the schema says: run `make schema`.'; exit 1; }
check-frontend: install
ifneq ($(FRONTEND),)
	cd frontend && npm run check
endif

.PHONY: audit-dependencies
audit-dependencies: ## Ask the indexes for known weaknesses of what goes into the images
	$(MAKE) --no-print-directory $(VENV)/tools/.installed || echo 'pip-audit cannot be installed.'
	.ci/audit-dependencies $(VENV)/tools/bin/pip-audit

.PHONY: schema
schema: install ## Write the OpenAPI schema and the TypeScript types made from it
	$(SPECTACULAR) --file frontend/src/api/schema.yaml
	cd frontend && npm run types

.PHONY: format
format: install ## Let the formatters decide
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
ifneq ($(FRONTEND),)
	cd frontend && npm run format
endif

# --- testing ------------------------------------------------------------------------------------------------------
.PHONY: test
ifeq ($(T),)
test: build ## Run the tests (all, or those named: make test T=tests/jobs)
	$(PYTEST) -n $(TEST_JOBS) -m "$(FAST)"
ifneq ($(FRONTEND),)
	cd frontend && npm test
endif
	export TEST_BROWSER="$$(.ci/browser)"; \
	if [ -n "$(FRONTEND)" ]; then (cd frontend && EQUIPOISE_CHROMIUM="$$TEST_BROWSER" npm run test:browser); fi; \
	$(PYTEST) -m "e2e and not slow" $(NONE_IS_FINE)
	$(PYTEST) -m smoke $(NONE_IS_FINE)
else
test: install
	$(PYTEST) -m "not slow and not production and not smoke" $(T)
endif

.PHONY: e2e
e2e: build ## Run the browser tests alone
	TEST_BROWSER="$$(.ci/browser)" $(PYTEST) -m e2e $(T)

.PHONY: test-production
test-production: install ## Database tests on PostgreSQL, the job contract on Redis and RabbitMQ
	EQUIPOISE_DATABASE_URL="$(TEST_DATABASE_URL)" $(PYTEST) -n $(TEST_JOBS) -m "(db or production) and not slow and not smoke and not e2e" $(T)

.PHONY: production-smoke
production-smoke: install ## A production site as plain processes: PostgreSQL, Redis and RabbitMQ in turn, two workers, nginx
	EQUIPOISE_DATABASE_URL="$(TEST_DATABASE_URL)" $(PYTEST) -m production tests/production
	$(PYTEST) tests/production/test_images.py
	$(PYTEST) -m smoke

.PHONY: test-long
test-long: build ## Fuzzing, coverage, load, chaos: hours; seeds are printed
	TEST_BROWSER="$$(.ci/browser)" $(PYTEST) -n $(TEST_JOBS) -m slow --timeout=7200 $(T)

# --- running ------------------------------------------------------------------------------------------------------
.PHONY: demo
demo: build ## Set up a demonstration site in ./var and serve it
	$(BIN)/equipoise demo
