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

# Simulated runs of the tenant machine, so many times the usual number of seeds
deep times="20":
    TANDEM_SEEDS={{times}} cargo test --release -p tandem-core --lib seeds

# Every fuzz target for so many minutes, one after the other; TANDEM_FUZZ_SEED repeats a run
fuzz minutes="1" *name="fuzz_":
    TANDEM_FUZZ_SECONDS=$(({{minutes}} * 60)) cargo test -p tandem -p orgsim --lib --test fuzz {{name}} -- --nocapture --test-threads 1

# The mixed load test with its oracle
load *args:
    cargo run --release -p loadtest -- mixed {{args}}
