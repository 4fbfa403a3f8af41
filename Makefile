# The commands of the project. `make help` lists them. PYTHON chooses the interpreter of the virtual environment.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
NAME ?= create
TESTS = $(VENV)/python -m scripts.with_services $(VENV)/python -m scripts.run_tests

.PHONY: help setup ansible chaos release browser screenshots requirements protocol fmt check test test-all test-fast mutate terraform terraform-package \
	terraform-docs demo demo-down bench fuzz examples openapi publish-migrations publish-protocol publish-openapi docs clients

help:  ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup:  ## Install Debian packages (as root) and the virtual environment; a second run does nothing
	@scripts/setup

fmt: setup  ## Format the code and mend what can be mended
	@$(VENV)/ruff format . && $(VENV)/ruff check --fix .

check: setup  ## Format, lint, types, layers, migrations, OpenAPI and generated documents
	@$(VENV)/python -m scripts.with_services $(VENV)/python -m scripts.check

test: setup  ## The gate, with real guests in the lab; needs root
	@$(TESTS) -n 3 --durations 25 -m "not nightly" $(ARGS)

test-all: setup  ## Everything, nightly and before a release: all pages, long storms, all benchmarks in small; needs root
	@$(TESTS) -n 3 --durations 25 $(ARGS)

test-fast: setup  ## Unit and service tests, without root
	@$(TESTS) -n 2 -m "not lab and not slow and not nightly" $(ARGS)

mutate: setup  ## Change the policy code in every small way, and see that a test notices; ten minutes
	@$(VENV)/python -m scripts.mutate $(ARGS)

browser: setup  ## The dashboard in Chromium: every page, by keyboard, in two languages and themes, and over real guests; needs root
	@$(VENV)/python -m scripts.with_services $(VENV)/pytest tests/browser tests/cloud/test_dashboard.py $(ARGS)

screenshots: setup  ## Take the pictures of docs/images/dashboard anew
	@$(VENV)/python -m scripts.screenshots

fuzz: setup  ## Let Schemathesis at the whole API, as four kinds of callers; prints JSON; ten minutes to an hour
	@$(VENV)/python -m scripts.fuzz $(ARGS)

chaos: setup  ## Users at work while parts of a cloud are killed, paused and cut off: SEED=1, REAL=1 for real guests (needs root); prints JSON
	@$(VENV)/python -m scripts.chaos --seed $(or $(SEED),1) $(if $(REAL),--real) $(ARGS)

terraform: setup  ## The Terraform provider with real Terraform, against fake and real nodes; needs root
	@$(VENV)/python -m scripts.with_services $(VENV)/pytest tests/terraform tests/cloud/test_terraform.py $(ARGS)

terraform-package: setup  ## The package of the Terraform provider, in var/terraform
	@$(VENV)/python -m clients.terraform.package $(ARGS)

terraform-docs: setup  ## Write docs/reference/terraform from the provider's schemas and examples
	@$(VENV)/python -m clients.terraform.docs

demo: setup  ## A cloud of three nodes and a Ceph cluster on this machine, and a first guest; STORAGE=local: without Ceph; needs root
	@$(VENV)/python -m scripts.demo up

demo-down: setup  ## Remove every trace of the demo
	@$(VENV)/python -m scripts.demo down

bench: setup  ## Measure: NAME=api, audit, boot, cli, create, dashboard, drain, evacuate, evidence, footprint, lighthouse, metrics, migrate, network, node_network, operations, overload, permits, placement, port_metrics, stream, terraform, usage or volumes; prints JSON
	@$(VENV)/python -m bench.$(NAME) $(ARGS)

release: setup  ## One file to install servers from, without a network there: var/release. KEY=FILE signs it
	@$(VENV)/python -m scripts.release $(if $(KEY),--key $(KEY))

ansible: setup  ## The playbook against three Debian trees, twice, ARGS="--from REVISION" as an upgrade; needs root and Debian's mirror; prints JSON
	@$(VENV)/python -m scripts.ansible_lab $(ARGS)

examples: setup  ## Write docs/reference/examples: what a small cloud answers on every route
	@$(VENV)/python -m scripts.with_services $(VENV)/pytest -q tests/api/examples -k every_route --write

openapi: setup  ## Write docs/reference/openapi.json
	@$(VENV)/python -m scripts.with_services $(VENV)/python -m scripts.generate openapi

publish-migrations: setup  ## Note that the migrations of now are in a release: scripts/released_migrations.json
	@$(VENV)/python -m scripts.with_services $(VENV)/python -m scripts.migration_compatibility --publish

publish-protocol: setup  ## Note that the protocols of now are in a release: scripts/released_…protocol.json
	@$(VENV)/python -m scripts.protocol_compatibility --publish

publish-openapi: setup  ## Keep docs/reference/openapi.json as a published version: VERSION=1.1
	@$(VENV)/python -m scripts.api_compatibility --publish $(VERSION)

docs: setup  ## Write the documents that are made from the code: the API route by route, states, errors, authorization
	@$(VENV)/python -m scripts.with_services $(VENV)/python -m scripts.generate reference states errors authorization

clients: setup  ## Write the parts of the clients that are made from the OpenAPI document
	@$(VENV)/python -m scripts.clients

protocol: setup  ## Make the stubs of agents/protocol, and of Terraform's plugin protocol
	@$(VENV)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. agents/protocol/agent.proto \
		agents/protocol/announcer.proto agents/protocol/storage.proto
	@$(VENV)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. \
		clients/terraform/runtime/protocol/tfplugin6.proto

requirements: setup  ## Pin the newest versions that pyproject.toml allows
	@$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --upgrade \
		--custom-compile-command "make requirements" pyproject.toml -o requirements.txt
