# Recipes for development. Each is a stage of `.ci/run`, which is what counts; `just --list` shows them.

# every stage, as in continuous integration
ci *stages:
    .ci/run {{ stages }}

# before each commit: seconds
quick:
    .ci/run format clippy

# every test that needs no database
test *arguments:
    cargo test {{ arguments }}

# the integration tests on the real engine (built on first use)
engine *arguments:
    tests/engine/run -- cargo test -p lightlike-tests -p lightlike-cli {{ arguments }}

# instruction counts against the last record; `just counts --bless` records anew
counts *arguments:
    benches/count {{ arguments }}

# documentation as users see it
docs:
    .ci/run rustdoc
