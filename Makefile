# Parley. `make` shows what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := PYTHONPATH=lib .venv/bin/python
export PYTHON
# Packages may come by way of a proxy whose certificate only the system knows.
export UV_SYSTEM_CERTS := 1

.PHONY: help run dev ask inject test test-plans test-llama-stack eval tools llama-stack check bench retrieval bench-slack bench-api fuzz openapi kill chaos \
        demo slack-queue mail-pictures simulate stage deploy migrate keys admin-key knowledge suppressed dead-letters lock clean \
        setup setup-tests

help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## set everything up and run all functions in one process
	@$(PY) -m standalone

dev: setup ## the same with one process per function
	@$(PY) -m standalone --processes

ask: export QUESTION = $(value Q)
ask: setup ## ask a question: make ask Q="How do I reset my password?"
	@$(PY) -m standalone.ask "$$QUESTION"

demo: setup-tests ## a whole conversation in Slack, in the terminal: laptop, policy, approval by a button, ticket
	@$(PY) -m devkit.demo $(ARGS)

trace: setup-tests ## one request's trace as a picture in the terminal (ARGS="--listen 4318": of what runs elsewhere)
	@$(PY) -m devkit.trace $(ARGS)

metrics: setup-tests ## every query of config/observability by a real Prometheus (installed when missing): ARGS="--svg FILE" draws
	@sh lib/devkit/prometheus.sh
	@$(PY) -m devkit.observing $(ARGS)

.PHONY: link test-browser pictures trace metrics
link: setup ## print a link that signs you in on the page of what runs here, once
	@$(PY) -m standalone.link

test: setup-tests ## set everything up and run all tests
	@PYTHONPATH=lib .venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore=tests/llama_stack --ignore=tests/longlife --ignore=tests/browser --ignore=tests/images --ignore=tests/knative $(ARGS)

test-browser: setup-tests ## the page in a real Chromium (installed when it is missing and we may)
	@sh lib/devkit/chromium.sh
	@PYTHONPATH=lib .venv/bin/python -m pytest tests/browser $(ARGS)

pictures: setup-tests ## the README's pictures of the page, light and dark (needs chromium)
	@sh lib/devkit/chromium.sh
	@PYTHONPATH=lib .venv/bin/python -m pytest -q tests/browser/pictures.py $(ARGS)

.PHONY: test-images bench-images test-knative
test-images: setup-tests ## each staged folder alone, with its hash-pinned requirements, on Python 3.12 and 3.13; both builders' ways
	@PYTHONPATH=lib .venv/bin/python -m pytest -n 2 --dist worksteal tests/images $(ARGS)

test-knative: setup-tests ## with kustomize, func's own library and kn event, built by Go: manifests, folders, events by hand
	@PYTHONPATH=lib .venv/bin/python -m pytest tests/knative $(ARGS)

bench-images: setup-tests ## what a start from zero costs and weighs: with bytecode and without, 2 and ¼ CPU, beside the last commit
	@PYTHONPATH=lib:tests .venv/bin/python -m bench.images $(ARGS)

.PHONY: bench-zero
bench-zero: setup-tests ## from a question in Slack to its answer while everything sleeps, with wake Triggers and without (ARGS="--pod 2 5")
	@PYTHONPATH=lib:tests .venv/bin/python -m bench.from_zero $(ARGS)

test-plans: setup-tests ## delivery plans against the oracle: make test-plans CASES=100000
	@PLAN_CASES=$(or $(CASES),100000) PYTHONPATH=lib .venv/bin/python -m pytest tests/domain/test_plan_oracle.py $(ARGS)

test-llama-stack: setup-tests ## the tests with a real Llama Stack server (half a gigabyte, installed once)
	@sh lib/devkit/environment.sh lib/devkit/llama.txt .build/llama-stack
	@PYTHONPATH=lib .venv/bin/python -m pytest -n 2 --dist loadfile tests/llama_stack $(ARGS)

tools: setup ## hold config/tools against what its servers offer (TOOL_SIGNING_KEY, MCP_URLS)
	@$(PY) -m parley.adapters.tool_check

eval: setup-tests ## hold conversations k times and judge their ends: make eval ARGS="--url http://host:8321 --model M"
	@PYTHONPATH=lib:tests .venv/bin/python -m evals $(ARGS)

llama-stack: setup-tests ## a Llama Stack server to develop with: make llama-stack MODEL=http://host:8000/v1, or a scripted one
	@$(PY) -m devkit.llama $(if $(MODEL),--model $(MODEL)) $(if $(LLAMA_PORT),--port $(LLAMA_PORT))

check: setup-tests ## style, types, arrows between packages, secrets in git, manifests, packages that fit, vulnerabilities
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PYTHONPATH=lib .venv/bin/lint-imports
	@$(PY) -m devkit.leaks
	@$(PY) -m devkit.manifests >/dev/null
	@$(PY) -m devkit.audit
	@.venv/bin/python -m pip --disable-pip-version-check check

.PHONY: audit
audit: setup-tests ## known vulnerabilities of every pinned version, for images and tests (asks OSV; `check` does, where it can)
	@$(PY) -m devkit.audit --must $(ARGS)

bench: setup-tests ## start-up, memory, latency and throughput, measured here
	@PYTHONPATH=lib:tests .venv/bin/python -m bench $(ARGS)

retrieval: setup-tests ## how well and how fast questions find their sections, and that none finds what is not for its reader
	@QUERIES=$(or $(QUERIES),10000) PYTHONPATH=lib .venv/bin/python -m pytest -q tests/adapters/test_knowledge_properties.py
	@PYTHONPATH=lib:tests .venv/bin/python -m retrieval $(ARGS)

bench-slack: setup-tests ## how soon Slack gets its 200, at 200 events a second and from zero (ARGS="--rate 200 --runs 7")
	@PYTHONPATH=lib:tests .venv/bin/python -m bench.acking $(ARGS)

bench-api: setup-tests ## POST to 202 at 100 a second, and two hundred callers who wait (ARGS="--rate 200")
	@PYTHONPATH=lib:tests .venv/bin/python -m bench.asking $(ARGS)

fuzz: setup-tests ## call the API with everything that fits its description, and what does not: make fuzz N=200
	@FUZZ_EXAMPLES=$(or $(N),200) PYTHONPATH=lib .venv/bin/python -m pytest -s tests/api/fuzzed --timeout 3600

openapi: setup ## write lib/parley/api/openapi.json anew, from the routes
	@$(PY) -m parley.api.openapi --write

kill: setup-tests ## kill -9 everything at random moments: make kill N=100
	@KILL_ROUNDS=$(or $(N),100) PYTHONPATH=lib .venv/bin/python -m pytest -s tests/faults/test_kill.py

slack-queue: setup-tests ## 500 answers to one channel of Slack, which takes one each (scaled) second
	@SLACK_QUEUE=$(or $(N),500) PYTHONPATH=lib .venv/bin/python -m pytest -s tests/functions/test_slack_queue.py

mail-pictures: setup-tests ## pictures of what mails look like, light and dark, wide and narrow (needs chromium)
	@$(PY) -m devkit.mail_pictures $(ARGS)

simulate: setup-tests ## every fault at every point, pairs of them, and chance: make simulate SEEDS=1000, SEED=17 for one
	@PYTHONPATH=lib:tests .venv/bin/python -m simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS))

chaos: setup-tests ## ask while everything is killed and misbehaves: make chaos MINUTES=10 REQUESTS=2600 SEED=7
	@PYTHONPATH=lib:tests .venv/bin/python -m chaos $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

inject: setup ## send an event to the broker of `make run`: make inject ARGS="message -f text=Why?"
	@.venv/bin/parley inject $(ARGS)

stage: setup ## assemble .build/FN for func: make stage FN=normalize, or FN=all; FN=parley is all of them as one
	@$(PY) -m devkit.stage $(FN)

.PHONY: build undeploy
export REGISTRY BUILDER FUNC KUBECTL ARGS CLUSTER FN TAG
build: setup ## build images: make build FN=all REGISTRY=registry.example.org/parley ARGS=--push (BUILDER=s2i)
	@$(PY) -m devkit.deploy build $(FN)

deploy: setup ## deploy: make deploy FN=all REGISTRY=registry.example.org/parley (BUILDER=s2i, FN=normalize, ARGS=--remote)
	@$(PY) -m devkit.deploy deploy $(FN)

.PHONY: secrets sbom
secrets: setup ## config/cluster/secrets.yaml with new keys: make -s secrets > ../parley-secrets.yaml
	@$(PY) -m devkit.new_secrets

sbom: setup-tests ## a bill of materials (CycloneDX) of what an image holds: make sbom FN=all, in .build/sbom
	@$(PY) -m devkit.sbom $(FN)

undeploy: setup ## take functions away: make undeploy FN=all; what is stored, and config/cluster, stays
	@$(PY) -m devkit.deploy undeploy $(FN)

migrate: setup ## bring the database to the newest schema (ARGS=--list shows): of DATABASE_URL, else of `make run`; CLUSTER=1 REGISTRY=…: the cluster's
	@sh lib/devkit/migrate.sh

.PHONY: roles
roles: setup ## a database role for each function: ARGS=--list shows what each may do, --passwords prints their Secret
	@$(PY) -m standalone.here parley.adapters.postgres.roles $(ARGS)

keys: setup ## API keys: make keys ARGS="create --email you@example.org"
	@$(PY) -m standalone.here parley.api.keys $(or $(ARGS),list)

knowledge: setup ## knowledge bases: make knowledge ARGS="load config/knowledge/it-desk", "list", "search BASE QUESTION"
	@$(PY) -m standalone.here parley.knowledge $(or $(ARGS),list)

admin-key: setup ## the first admin key: make admin-key EMAIL=you@example.org (CLUSTER=1: in the cluster of kubectl)
	@CLUSTER=$(CLUSTER) sh lib/devkit/admin_key.sh "$(EMAIL)"

suppressed: setup ## who is not written to any more: make suppressed ARGS="list", "lift email ADDRESS", "add sms NUMBER"
	@$(PY) -m standalone.here parley.suppressed $(or $(ARGS),list)

dead-letters: setup ## what could not be handled: make dead-letters ARGS="list", "show ID", "replay ID …"
	@$(PY) -m standalone.here parley.dead_letters $(or $(ARGS),list)

.PHONY: longlife
longlife: setup-tests ## serve a function by func-python, ask a model by ogx-client: environments of their own, made once
	@PYTHONPATH=lib .venv/bin/python -m pytest tests/longlife $(ARGS)

.PHONY: upgrade-rehearsal
upgrade-rehearsal: setup-tests ## an older commit and this one side by side, under load: make upgrade-rehearsal OLD=v0.1.0 REQUESTS=500
	@PYTHONPATH=lib:tests .venv/bin/python -m upgrade "$(OLD)" $(if $(REQUESTS),--requests $(REQUESTS)) $(ARGS)

.PHONY: restore-rehearsal
restore-rehearsal: setup-tests ## back up with open requests, destroy everything, restore into another server, and go on
	@PYTHONPATH=lib .venv/bin/python -m pytest -q tests/faults/test_restore.py $(ARGS)

.PHONY: release
release: setup-tests ## write down what a release promises to the next one: make release NAME=1.2.0
	@$(PY) -m devkit.release "$(NAME)"

lock: setup-tests ## pin every version anew (ARGS=--upgrade takes newer ones)
	@$(PY) -m devkit.lock $(ARGS)

clean: ## remove what was installed and built, but not the data in .parley
	rm -rf .venv .venv.lock .build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

setup:
	@sh lib/devkit/venv.sh requirements.txt

setup-tests:
	@sh lib/devkit/venv.sh requirements.txt tests/requirements.txt
