# What a change goes through; `just` comes with the test extra: .venv/bin/just check
python := justfile_directory() / ".venv/bin/python"

# list these
_:
    @{{just_executable()}} --list --justfile {{justfile()}}

# lint, format and types, as CI asks
check:
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .
    {{python}} -m mypy

# mend what ruff can, and write docs/pipeline.md anew
fix:
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .
    {{python}} -m tests.reference

# the tests, or those that are named: just test tests/convert -m "not flow"
test *arguments:
    {{python}} -m pytest -n 3 --dist loadfile {{arguments}}

# one benchmark, or all: ingest, convert, train
bench *names:
    {{python}} -m tests.benchmarks {{names}}
