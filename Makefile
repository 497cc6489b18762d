# make demo: a small dataset from clips that it renders.   make test: every test.   make readers: a published folder read
# by older and newer releases of datasets.   make soak: the campaigns of kills and faults, at length.   All set everything
# up first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test readers soak lint schema clean

demo: $(VENV)/.base
	$(BIN)/build-dataset recipes/demo.yaml

test: $(VENV)/.dev  # two at a time: half of them wait for a server, a model or a clock
	$(BIN)/pytest -n 2 --dist loadfile

readers: $(VENV)/.dev
	$(BIN)/pytest -m readers tests/readers

soak: $(VENV)/.dev
	SOAK=10 $(BIN)/pytest -m soak

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	mkdir -p .lint && ln -sfn .. .lint/shotscribe  # the root is the package: mypy finds it by this name
	MYPYPATH=.lint $(BIN)/mypy -p shotscribe

schema: $(VENV)/.base
	$(BIN)/shotscribe schema > recipes/recipe.schema.json

$(VENV)/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e '.[cpu]' -c constraints.txt
	touch $@

# The CPU build of torch is enough for the tests; see CONTRIBUTING.md for how to get it. Beside it, vLLM's companions for
# sound and video do not load and break imports; torchvision does with the help of a line at the start of every process.
$(VENV)/.dev: $(VENV)/.base constraints.txt tests/vllm_cpu/sitecustomize.py
	$(BIN)/pip install -q -e '.[cpu,models,looks,decord,openai,shots,dev]' -c constraints.txt
	$(BIN)/pip uninstall -q -y torchaudio torchcodec
	cp tests/vllm_cpu/sitecustomize.py "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	touch $@

clean:
	rm -rf out $(VENV)
