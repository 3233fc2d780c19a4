# Two commands for a new user: `make demo` and `make test`. Both set up .venv on first use.
# PYTHON: the interpreter of the environment. PIP_OPTIONS: more words for pip, e.g. --extra-index-url or --constraint.
PYTHON ?= python3
PIP_OPTIONS ?=
VENV := .venv
# Tests start hundreds of processes. Without stored bytecode, each of them would compile the whole package anew.
export PYTHONDONTWRITEBYTECODE :=
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Processes of the tests: one more than cores, as some tests wait for a disk or for processes of their own. Each takes whole
# files (--dist loadfile), so that a file's fixtures are made once.
WORKERS ?= 3

.PHONY: demo family test test-fast test-avx2 test-isa test-kernels test-gpu test-slow test-ray test-extras test-faults notebook lint types bench docs tree clean

# Everything below needs the environment; `make environment` sets it up and does no more.
$(READY): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || \
	  { echo "There is no $(PYTHON) here. Name a Python that is: make demo PYTHON=/path/to/python3" >&2; exit 2; }
	@"$(PYTHON)" tests/support/environment.py $(VENV) $(PIP_OPTIONS)
	@touch $(READY)

.PHONY: environment test-oldest test-pythons

environment: $(READY)

DEMO := results/demo/demo.h5

demo: $(READY)
	$(BIN)/nasbench suite run default -o $(DEMO)
	$(BIN)/nasbench compare $(DEMO)
	$(BIN)/nasbench cost $(DEMO) --target 0.9
	$(BIN)/nasbench pareto $(DEMO)
	$(BIN)/nasbench curves $(DEMO)
	@echo
	@echo "Results: $(DEMO). Plots and the data behind them: results/demo/demo-*.png, .svg, .csv."
	@echo "Next:    . $(BIN)/activate"
	@echo "         nasbench query $(DEMO) --sort val_acc --head 5"
	@echo '         nasbench run --space nasnet:blocks=2 --strategy ppo --option preset=auto --budget "20 children" -o results/first.h5'

# All strategies that search nasbench201, 200 searches each, against the table that ships: about a minute on two cores.
FAMILY := results/demo/family

family: $(READY)
	rm -f $(FAMILY).h5
	OMP_NUM_THREADS=1 $(BIN)/nasbench replay --table results/digits201.h5 --strategy random \
	  --strategy evolution:population=10,sample=3 --strategy local_search --strategy reinforce_logits \
	  --strategy reinforce:preset=auto --strategy ppo:preset=auto --strategy zero_cost:score=params \
	  --seeds 200 --budget "200 gpu-seconds" --jobs 2 -o $(FAMILY).h5 --plot $(FAMILY)-regret
	$(BIN)/nasbench ranks $(FAMILY).h5 --score test_acc
	$(BIN)/nasbench targets $(FAMILY).h5 --table results/digits201.h5 --share-of-best 0.99 --score test_acc

test: $(READY) lint types test-fast test-avx2

test-fast: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

TRAINING_TESTS := tests/training tests/networks
# Without what runs no kernel of this processor: counts, and traces of what a CUDA device would run.
KERNEL_TESTS := -k "not closed_form and not counts and not cuda_traces" $(TRAINING_TESTS)

# Training once more with the kernels of a processor that has AVX2 and no AVX-512, whatever this one has.
test-avx2: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/support/instruction_sets.py quick -m "not slow" -n 2 --dist loadfile $(KERNEL_TESTS)

# The same and a whole search with every combination of instruction sets that oneDNN and torch can be held to here.
ISA_TESTS := $(TRAINING_TESTS) tests/kernels tests/cli/test_verify_command.py tests/runners/test_search.py tests/strategies/test_enas.py

test-isa: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/support/instruction_sets.py all -m "not slow" -n 2 $(ISA_TESTS)

# Layers of all shapes, each case under a checking allocator, with the kernels of several instruction sets; some minutes. See docs/reliability.md.
SWEEP := --isa AVX2 --isa default --isa SSE41

test-kernels: $(READY)
	$(BIN)/python -m nasbench.kernel_tests.sweep $(SWEEP)

# The tests with the lowest versions that pyproject.toml allows, without those of ONNX where torch is older than 2.8.
# PYTHON: one that those have wheels for, 3.10 to 3.12.
LOWEST := --only-binary :all: --constraint build/lowest.txt

test-oldest: $(READY)
	mkdir -p build
	$(BIN)/python tests/support/lowest.py > build/lowest.txt
	$(MAKE) test-fast VENV=.venv-oldest PIP_OPTIONS="$(PIP_OPTIONS) $(LOWEST)"

# Linter, types and tests on other Pythons, with the newest versions: an environment each, as .venv-python3.10, of several GB.
PYTHONS ?= python3.10 python3.13

test-pythons:
	set -e; for python in $(PYTHONS); do \
	  $(MAKE) test PYTHON="$$python" VENV=".venv-$$(basename "$$python")"; \
	done

# Without the slow tests of tests/store and tests/cluster, which `make test-faults` and `make test-ray` run.
test-slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 2 --ignore tests/cluster --ignore tests/store

# What the owner of a CUDA device runs once: under ten minutes, ends in a table to paste; without a device a line and exit code 2.
test-gpu: $(READY)
	$(BIN)/python benchmarks/gpu_report.py

# A real cluster of several raylets on this machine; workers, nodes and the driver are killed. Some minutes.
test-ray: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[ray]'
	$(BIN)/python -m pytest -m "slow or not slow" tests/cluster

# What needs extras that the tests' environment lacks: callbacks for TensorBoard, MLflow and W&B, offline, and Syne Tune.
test-extras: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[tensorboard,mlflow,wandb,syne-tune]'
	$(BIN)/python -m pytest -m "slow or not slow" tests/api/test_recording_callbacks.py tests/adapters tests/strategies/test_syne_tune_strategy.py
	$(BIN)/python -m pytest -m "slow or not slow" tests/strategies/test_strategy_conformance.py tests/runners/test_kill.py -k syne_tune

# Kills, failing system calls, power cuts, damage and the other slow tests of tests/store. FAULT_MINUTES is about the time of
# all series of faults; what does not fit is a smaller sample.
FAULT_MINUTES ?= inf

test-faults: $(READY)
	FAULT_MINUTES=$(FAULT_MINUTES) OMP_NUM_THREADS=1 $(BIN)/python tests/faults/kills.py
	FAULT_MINUTES=$(FAULT_MINUTES) $(BIN)/python -m pytest -s -m slow tests/store

# Faults of one line in budget, search, cache, evaluator and statistics, each tried in a copy of the tree: hours. It resumes;
# build/mutations has what was tried. TARGETS: some of those in tests/support/mutations.py; MUTATIONS=40 draws 40 per target.
.PHONY: test-mutations
TARGETS ?=
MUTATIONS ?=

test-mutations: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[mutation]'
	$(BIN)/python tests/support/mutations.py $(if $(MUTATIONS),--sample $(MUTATIONS)) $(TARGETS)

# The pictures of README and docs/: those of the demonstration and of the report are of one run, which is made in build/pictures where it
# is not there yet; remove that folder for a new one. About ten minutes on two idle cores; the report's picture takes Chromium or Chrome.
.PHONY: pictures

pictures: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/support/pictures.py build/pictures

# How often intervals cover and tests reject, written into docs/statistics.md: some minutes on one core.
.PHONY: calibration
calibration: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibration

# The notebook of the documentation with fresh outputs; `make test` fails where the stored ones differ.
notebook: $(READY)
	$(BIN)/python tests/support/notebooks.py docs/notebook.ipynb

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The wheel maps runners/ and analysis/ into the package; the type checker sees the same tree through links.
types: $(READY) tree
	MYPY_NUM_WORKERS=2 $(BIN)/mypy -p nasbench

tree:
	rm -rf .typed && mkdir -p .typed/nasbench
	ln -s "$(CURDIR)"/nasbench/* .typed/nasbench/
	ln -s "$(CURDIR)/runners" "$(CURDIR)/analysis" "$(CURDIR)/results" .typed/nasbench/

# Ratios against the usual ways, measured side by side and appended to benchmarks/results.csv; about a quarter of an hour on two idle cores.
# NB201: the table of NAS-Bench-201; CIFAR10: images as train/<class>/<image> and test/<class>/<image>, a folder or a tar file.
NB201 ?= ../shared/data/nb201_tss.npz
CIFAR10 ?= ../shared/data/cifar10-jpg.tar.gz

# The site, in build/site: a broken link fails, and so does an example of a tutorial. Its outputs are those of this build.
docs: $(READY) tree
	$(BIN)/python -m pip install -q -e ".[docs]"
	$(BIN)/mkdocs build --strict --clean

bench: $(READY)
	$(BIN)/python -m pip install --quiet --requirement benchmarks/requirements.txt
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/replay.py $(NB201)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/table_queries.py $(NB201) --keep
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/counting.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/pareto.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/store.py --rows 100000 --folder build/store-benchmark
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/overheads.py --folder build/overheads
	$(BIN)/python benchmarks/training.py $(CIFAR10)
	$(BIN)/python benchmarks/record.py

clean:
	rm -rf .venv .venv-* .typed build dist *.egg-info
