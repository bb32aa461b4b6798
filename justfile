# The same verbs as script/. `just` alone lists them.

_list:
    @just --list --unsorted

# What a machine needs: Rust, a C compiler, Redis
setup:
    ./script/setup

# Everything that must pass: format, lints, tests; with a name, only those tests
test *name:
    ./script/test {{name}}

# The whole product on this machine, with a simulated Salesforce
dev *args:
    ./script/dev {{args}}

# Put the code into its form
fmt:
    cargo fmt --all

# Settings and mappings
check *args:
    cargo run --quiet --bin tandem -- check {{args}}

# The documents of the code, in a browser
doc:
    cargo doc --workspace --no-deps --open
