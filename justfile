# What a person repeats. `just` lists it.

default:
    @just --list

# Everything that CI runs.
ci:
    bash .ci/run

# Format, lint, test.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# The made-up company.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# The pictures of the demo in docs/, drawn from what it prints.
picture:
    cargo build --release -p encours-cli
    CLICOLOR_FORCE=1 target/release/encours demo | python3 docs/picture.py "encours demo" > docs/demo.svg
    CLICOLOR_FORCE=1 target/release/encours demo --lang fr | python3 docs/picture.py "encours demo --lang fr" > docs/demo-fr.svg

# A server on loopback, data in ./encours-data.
serve *ARGS:
    cargo run --release -- serve {{ARGS}}

# Benchmarks, each as a ratio to a limit measured in the same run.
bench *ARGS:
    cargo bench -p encours-benches {{ARGS}}

# Licences, bans and sources of all dependencies.
deny:
    cargo deny check licenses bans sources

# The gRPC contract.
buf:
    npx --yes @bufbuild/buf@1.75.0 lint

# The pages of docs/reference, from the protos and the code.
reference:
    ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-tests --test reference
    ENCOURS_UPDATE_REFERENCE=1 cargo test -p encours-api --test api the_page_of_errors

# The examples and the commands of the documentation, against the real binary.
examples:
    cargo test -p encours-tests --test examples --test docs
