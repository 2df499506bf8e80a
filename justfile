# What one does most often. `just` lists it; each line also works by hand.

# Lists the recipes.
default:
    @just --list --unsorted

# Three gyms with 90 days of history and live traffic, in a temporary folder.
demo *arguments:
    cargo run --release -- demo {{ arguments }}

# All tests. They share the release profile with the demo, so that nothing is built twice.
test *arguments:
    cargo test --release {{ arguments }}

# All tests at each hour of a day, in nights in which clocks change, at New Year, on a leap day.
clocks *arguments:
    tests/clocks.sh --release {{ arguments }}

# The pictures in docs/screenshots, taken by the tests of the page in a real browser.
screenshots:
    SCREENSHOTS=1 cargo test --release --test it browser

# Format, lints and dependencies, as they must be before a commit.
lint:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings
    cargo deny check --hide-inclusion-graph bans licenses sources

# How many deliveries a second are received and durable, beside a server that stores nothing.
bench *arguments:
    cargo bench {{ arguments }}

# Puts the code into its format.
fmt:
    cargo fmt --all
