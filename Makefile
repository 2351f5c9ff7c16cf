# New here? Run `make demo` or `make test`. Both create .venv, and can be run repeatedly.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The extra that a store URL needs: none for SQLite.
LEAN := $(if $(findstring engine=http,$(STATEBUCKET_URL)),[http])
EXTRA := $(strip $(if $(filter s3://%,$(STATEBUCKET_URL)),$(or $(LEAN),[s3])) \
	$(if $(filter gs://%,$(STATEBUCKET_URL)),$(or $(LEAN),[gcs])) \
	$(if $(filter az://%,$(STATEBUCKET_URL)),$(or $(LEAN),[azure])))
PYTEST := $(BIN)/python -m pytest
# tests/support/order.py says in which order.
ORDERED := --dist loadscope --no-loadscope-reorder
# If this is set, each of the hundreds of processes that tests start compiles the SDK again.
unexport PYTHONDONTWRITEBYTECODE
UV := uv==0.13.9
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
# An eighth of what is installed is loaded by no test.
PRUNE := PYTHONPATH=tests $(BIN)/python -m support.pruning
CODE := core adapters tests
# Tests that need Terraform, or a server that is not in the environment, have their own targets.
ALL := tests --ignore tests/terraform --ignore tests/adapters/s3/rgw --ignore tests/adapters/s3/localstack
S3_SDK := $(addprefix tests/adapters/s3/,test_contract.py::TestMoto test_contract.py::TestMotoRequests \
	test_same_errors.py test_answers.py test_batches.py test_bodies.py test_errors.py test_options.py \
	test_redirected_keys.py test_trust.py)
# Without the tests of tests/support, those of telemetry (no extra has its exporters), and the servers
# that are only in the environment of all tests.
FLOORS := tests/unit --ignore tests/unit/support --ignore tests/unit/telemetry \
	--ignore tests/unit/lifecycle/test_manager.py --ignore tests/unit/lifecycle/test_offboarding.py \
	tests/cli/test_exits.py tests/adapters/local/test_contract.py \
	tests/adapters/s3/test_contract.py::TestMoto tests/adapters/s3/test_contract.py::TestMotoHTTP \
	tests/adapters/gcs/test_contract.py::TestStrict tests/adapters/gcs/test_contract.py::TestStrictHTTP \
	tests/adapters/gcs/http tests/adapters/azure/test_contract.py::TestAzurite

.PHONY: help demo test test-all test-fast test-floors test-aiobotocore test-terraform test-rgw test-localstack soak bench-cold bench-large bench-scale bench bench-readme bench-langgraph check format docs screenshots stubs request-table promises-table servers-table sizes lock clean

help:  ## Shows this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo$(EXTRA)  ## Runs the main job on SQLite, or on STATEBUCKET_URL; DEMO_INPUT= a folder of text
	@$(BIN)/python -m statebucket.demo

# More workers than most machines have cores, because many tests mostly wait; each takes some 600 MB.
test: $(VENV)/.dev $(VENV)/.fastmcp $(VENV)/.aws  ## Tests every behaviour, and what depends on the service on a server of each cloud, in minutes
	$(PYTEST) -n 6 $(ORDERED) $(ALL)

test-all: $(VENV)/.dev $(VENV)/.fastmcp $(VENV)/.aws  ## Runs every test on every server and engine (except Terraform's), as CI does
	$(PYTEST) -n 4 $(ORDERED) --everything $(ALL)

test-fast: $(VENV)/.dev  ## Tests memory, SQLite and an S3 (SeaweedFS), in about a minute
	$(PYTEST) -n 2 -m "not slow" tests/unit tests/adapters/local/test_contract.py tests/adapters/s3/test_seaweedfs.py::TestSeaweedFSHTTP $(addprefix --ignore tests/unit/,support pytest_plugin demo)

test-floors: $(VENV)/.floors  ## Tests with each dependency at the lowest release that pyproject.toml allows
	$(VENV)/floors/bin/python -m pytest -n 2 --dist loadscope --everything -m "not slow" $(FLOORS)

test-aiobotocore: $(VENV)/.aiobotocore  ## Tests S3 through aiobotocore alone, at a release that aioboto3 does not allow
	$(VENV)/aiobotocore/bin/python -m pytest -n 2 --dist loadscope --everything -m "not slow" $(S3_SDK)

test-terraform: $(VENV)/.dev $(VENV)/.checkov  ## Applies the Terraform modules on a local server, checks and destroys them
	CHECKOV=$(VENV)/checkov/bin/checkov $(PYTEST) -n 4 --dist loadfile tests/terraform

# The removal by real lifecycle rules comes first: it waits for minutes while the others run.
test-rgw: $(VENV)/.dev  ## Tests Ceph's S3, with real removal; as root it installs Debian's packages first
	PYTHONPATH=tests $(BIN)/python -m support.servers.ceph install
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder --everything tests/adapters/s3/rgw/test_lifecycle.py tests/adapters/s3/rgw

test-localstack: $(VENV)/.dev $(VENV)/.localstack  ## Tests which lifecycle rule removes what, as LocalStack's S3 reports it
	$(PYTEST) -n 0 --everything tests/adapters/s3/localstack

soak: $(VENV)/.dev  ## Runs mixed load with faults for an hour; SOAK_SECONDS= for less
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(PYTEST) -s tests/soak

bench-cold: $(VENV)/.bench $(VENV)/.bench-http  ## Measures a process's start to its first load, compared with other libraries
	PYTHONPATH=tests $(VENV)/bench/bin/python -m benchmarks.cold

bench-large: $(VENV)/.dev  ## Measures how much memory a large value adds to a process, on SQLite and S3
	PYTHONPATH=tests $(BIN)/python -m benchmarks.large_value

bench: $(VENV)/.bench  ## Compares our store with other libraries, in some 12 minutes; BENCH="--rounds 9 --clouds s3 --tls"
	PYTHONPATH=tests $(VENV)/bench/bin/python -m benchmarks.speed $(BENCH)

bench-scale: $(VENV)/.dev  ## Measures sweep, copy, removal, inventory of SCALE="--objects 1000000", by processes and Dask
	PYTHONPATH=tests $(BIN)/python -m benchmarks.scale $(SCALE)

bench-readme: $(VENV)/.bench  ## Writes the figures of tests/README.md from the results of make bench
	PYTHONPATH=tests $(VENV)/bench/bin/python -m benchmarks.speed.readme

bench-langgraph: $(VENV)/.bench-langgraph  ## Compares LangGraph's savers, in some 8 minutes; writes the table of the saver's page
	PYTHONPATH=tests $(VENV)/bench-langgraph/bin/python -m benchmarks.savers

check: $(VENV)/.check  ## Checks format, lint, types, and which module may import which
	$(BIN)/ruff format --check $(CODE) terraform
	$(BIN)/ruff check $(CODE) terraform
	$(BIN)/mypy $(CODE)
	$(BIN)/basedpyright --level error core/jobs tests/unit/store/test_json_types.py
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev  ## Formats the code and fixes what can be fixed
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

docs: $(VENV)/.docs  ## Builds the site of these pages and the API in dist/docs; a warning is an error
	PYTHONPATH=tests $(VENV)/docs/bin/python -m generators.site.build

screenshots: $(VENV)/.dev  ## Redraws the screenshots of the command line
	PYTHONPATH=tests $(BIN)/python tests/generators/screenshots.py

stubs: $(VENV)/.dev  ## Writes the blocking store's stub from the asynchronous one
	$(BIN)/python tests/generators/sync_stub.py
	$(BIN)/ruff format --quiet core/statebucket/sync.pyi

request-table: $(VENV)/.dev  ## Counts the requests of each call and writes them into core/README.md
	UPDATE_PAGES=1 $(PYTEST) -n 0 --everything tests/docs/test_request_table.py

promises-table: $(VENV)/.dev  ## Writes the table of promises in tests/README.md from the tests that show them
	UPDATE_PAGES=1 $(PYTEST) -n 0 tests/docs/test_promises.py

servers-table: $(VENV)/.dev  ## Writes the table of servers in tests/README.md from the tests that run on each
	UPDATE_PAGES=1 $(PYTEST) -n 0 tests/docs/test_server_table.py

sizes: $(VENV)/.dev  ## Prints what each extra installs, in MiB
	PYTHONPATH=tests $(BIN)/python -m generators.sizes

# Every extra but durable, since aioboto3 does not allow its boto3.
LOCKED := s3 aiobotocore http checksums gcs azure cli keyvalue langgraph claude powertools strands dask parquet testing testing-s3

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

# langsmith uses zstandard to compress what it sends to its service: 23 MB that no test uses.
lock: | $(BIN)/python  ## Pins what the tests and checks install, with hashes, from pyproject.toml
	$(BIN)/python -m pip install --quiet $(UV)
	$(COMPILE) --no-binary claude-agent-sdk --emit-build-options --no-emit-package zstandard \
		$(addprefix --extra ,$(LOCKED)) --group test --output-file tests/requirements.txt pyproject.toml
	$(COMPILE) --constraint tests/requirements.txt --group check --output-file tests/requirements-check.txt

clean:  ## Removes .venv and the leftovers of tools
	rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("statebucket needs Python 3.11 or later: make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo$(EXTRA): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".$(EXTRA)"
	@touch "$@"

# In its own environment: it pins other versions than the SDKs need.
$(VENV)/.checkov: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	@touch "$@"

# In its own environment: it pins boto3 and cryptography.
$(VENV)/.localstack: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/localstack
	$(VENV)/localstack/bin/python -m pip install --quiet --disable-pip-version-check "localstack-core[base-runtime]==4.9.2" "moto-ext[s3]==5.1.14.post34" cbor2==5.7.1 pyopenssl==24.3.0 cryptography==44.0.3
	@touch "$@"

# Azurite runs on Node.js 20 or later, which the group installs if the system has none, or no npm with it.
NODE := $(shell command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || echo "--group node")

$(VENV)/.dev: pyproject.toml tests/requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1" $(UV)
	$(INSTALL) --require-hashes --no-deps --requirement tests/requirements.txt
	$(INSTALL) --no-deps --editable .
	$(if $(NODE),$(INSTALL) $(NODE))
	$(PRUNE) $(VENV)
	@touch "$@" "$(VENV)/.demo" "$(VENV)/.demo[s3]" "$(VENV)/.demo[http]" "$(VENV)/.demo[gcs]" "$(VENV)/.demo[azure]"

# The checking tools are large, and no test needs them.
$(VENV)/.check: tests/requirements-check.txt $(VENV)/.dev
	$(INSTALL) --require-hashes --requirement tests/requirements-check.txt
	$(PRUNE) $(VENV)
	@touch "$@"

# Their own environments, since that of all other tests has each dependency once, pinned.
$(VENV)/.floors: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/floors
	$(BIN)/uv pip install --quiet --python $(VENV)/floors/bin/python --resolution lowest-direct \
		--editable ".[all,checksums,dask,parquet,testing-s3]" --group tools $(NODE)
	@touch "$@"

$(VENV)/.aiobotocore: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/aiobotocore
	$(BIN)/uv pip install --quiet --python $(VENV)/aiobotocore/bin/python \
		--editable ".[aiobotocore,http,testing-s3]" --group tools aiobotocore==3.10.0
	@touch "$@"

# In its own environment: no other test needs FastMCP's dependencies.
$(VENV)/.fastmcp: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/fastmcp
	$(BIN)/uv pip install --quiet --python $(VENV)/fastmcp/bin/python --editable . --group fastmcp
	@touch "$@"

# In its own environment: AWS's durable functions need a newer boto3 than aioboto3 allows.
$(VENV)/.aws: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/aws
	$(BIN)/uv pip install --quiet --python $(VENV)/aws/bin/python \
		--editable ".[http,powertools,durable]" --group aws
	$(PRUNE) $(VENV)/aws
	@touch "$@"

# In its own environment: the site is built from the pages and the code as text, without our packages and their dependencies.
$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv --clear $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(VENV)/docs/bin/python -m pip install --quiet --group docs
	@touch "$@"

# In its own environment: the libraries compared with us pin older releases than the tests do.
$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/bench
	$(BIN)/uv pip install --quiet --python $(VENV)/bench/bin/python \
		--editable ".[all,checksums,testing-s3]" --group tools --group bench
	@touch "$@"

# What a function installs and no more, for cold starts: no test and no other library is in it.
$(VENV)/.bench-http: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/bench-http
	$(BIN)/uv pip install --quiet --python $(VENV)/bench-http/bin/python --editable ".[http]"
	@touch "$@"

# As .bench, with LangGraph's newest release; the benchmark's server needs a library of the extra gcs.
$(VENV)/.bench-langgraph: pyproject.toml $(VENV)/.dev
	$(PYTHON) -m venv --clear --without-pip $(VENV)/bench-langgraph
	$(BIN)/uv pip install --quiet --python $(VENV)/bench-langgraph/bin/python \
		--editable ".[langgraph,http,gcs]" --group bench-langgraph
	@touch "$@"
