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

# The disk: kills, cuts, flips and failing calls in full. Hours on a slow machine; FILTER takes one test.
faults-long FILTER="":
    ENCOURS_TEST_CUT_STEP=1 ENCOURS_TEST_CUTS=1024 ENCOURS_TEST_POWER_CUTS=100 \
    ENCOURS_TEST_SNAPSHOT_FLIPS=200 ENCOURS_TEST_VIEW_FLIPS=100 ENCOURS_TEST_KILLED_STARTS=300 \
    ENCOURS_TEST_EVERY_CALL=1 cargo test -p encours-tests --test disk -- --nocapture {{FILTER}}

# kill -9 under load, a thousand times.
kills ROUNDS="1000":
    ENCOURS_TEST_KILLS={{ROUNDS}} cargo test -p encours-tests --test kill9 -- --nocapture

# Power cuts on another file system: xfs or btrfs, as root.
power-cuts FS="xfs" CUTS="50":
    ENCOURS_TEST_FS={{FS}} ENCOURS_TEST_POWER_CUTS={{CUTS}} cargo test -p encours-tests --test disk -- --nocapture loses_nothing_that_was_ack

# How long a start takes on a million events.
start-time EVENTS="1000000":
    ENCOURS_TEST_EVENTS={{EVENTS}} cargo test --release -p encours-tests --test disk -- --nocapture million

# The server killed at each step of storing its read model: some minutes.
swap:
    ENCOURS_ROUNDS=1 cargo test -p encours-tests --test swap -- --nocapture

# Callers that mean harm, more of everything, and the limits that take a minute.
hostile FILTER="":
    ENCOURS_HOSTILE=long cargo test -p encours-tests --test hostile -- --nocapture --test-threads 1 {{FILTER}}

# A fuzz target (frame, event, journal, request, csv, note) for so many seconds; needs cargo-fuzz.
# New inputs go to target/fuzz-corpus, findings to target/fuzz-found: a fixed one joins tests/fuzz/corpus.
fuzz TARGET SECONDS="600":
    mkdir -p target/fuzz-corpus/{{TARGET}} target/fuzz-found
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz -s none {{TARGET}} \
        target/fuzz-corpus/{{TARGET}} tests/fuzz/corpus/{{TARGET}} -- \
        -max_total_time={{SECONDS}} -rss_limit_mb=2048 -timeout=20 -max_len=8192 -artifact_prefix=target/fuzz-found/

# The deterministic simulation: `just sim 50000`, `just sim 1 --seed 292`. CI runs 500 seeds as a test.
sim N="500" *ARGS:
    cargo run --release -p encours-sim -- --seeds {{N}} {{ARGS}}
