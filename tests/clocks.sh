#!/usr/bin/env bash
# Runs the tests under moved clocks: at each hour of a day, in nights in which clocks change, at the
# end of a year, on a leap day. It needs faketime (`apt install faketime`).
#
#   tests/clocks.sh [--release] [filters and options of the tests]
#
# INSTANTS chooses others, after 2026, days of which stand in tests as past:
# INSTANTS='2027-01-13T22:20Z' tests/clocks.sh what_if
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WHOLE_DAY=(2027-01-13T{00..23}:05Z)
NIGHTS=(
    # Before midnight and before the change: Berlin, New York, Lord Howe (by half an hour), Chatham
    # (a quarter to an hour).
    2027-03-27T22:50Z 2027-03-28T00:50Z 2027-10-30T21:50Z 2027-10-31T00:50Z
    2027-03-14T04:50Z 2027-03-14T06:50Z 2027-11-07T03:50Z 2027-11-07T05:50Z
    2027-04-03T12:50Z 2027-04-03T14:50Z 2027-10-02T13:20Z 2027-10-02T15:20Z
    2027-04-03T13:50Z 2027-09-25T13:50Z
    # The last hours of a year, in Berlin and in UTC, and the first; the end of its week 53.
    2026-12-31T22:50Z 2026-12-31T23:50Z 2027-01-01T00:10Z 2027-01-03T22:50Z 2027-03-01T00:10Z
    2028-02-29T12:00Z 2028-02-29T22:50Z 2028-02-29T23:50Z
)
# Programs in Go and browsers keep the clock of the machine; cargo compares it with that of files;
# Python waits for its own threads in vain; and some tests move the clock of a service themselves.
SKIPPED=(
    browser:: clock:: egym::day:: monitoring::prometheus:: openapi::schemathesis tls::acme::
    tls::strength:: tools::
)

read -ra instants <<<"${INSTANTS:-${WHOLE_DAY[*]} ${NIGHTS[*]}}"
profile=()
if [[ "${1:-}" == --release ]]; then
    profile=(--release)
    shift
fi
skips=()
for name in "${SKIPPED[@]}"; do
    skips+=(--skip "$name")
done
library=$(faketime -f +0s printenv LD_PRELOAD) || {
    echo 'faketime is missing: apt install faketime' >&2
    exit 1
}
host=$(rustc -vV | sed -n 's/^host: //p')
# cargo itself keeps the time; what it runs does not.
runner="CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$host")_RUNNER"
cargo test "${profile[@]}" --lib --test it --no-run

failed=()
for instant in "${instants[@]}"; do
    # A distance, since an instant would begin anew in each process.
    moved=$(($(date -u -d "$instant" +%s) - $(date +%s)))
    printf '\n== %s (moved by %d s)\n' "$instant" "$moved"
    env "$runner=env LD_PRELOAD=$library FAKETIME=${moved/#[0-9]/+&} FAKETIME_DONT_FAKE_MONOTONIC=1" \
        cargo test "${profile[@]}" --no-fail-fast --lib --test it -- "${skips[@]}" "$@" ||
        failed+=("$instant")
done
printf '\n== %d of %d clocks failed: %s\n' "${#failed[@]}" "${#instants[@]}" "${failed[*]:-none}"
((${#failed[@]} == 0))
