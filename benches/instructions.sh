#!/usr/bin/env bash
# How many instructions a delivery takes, and where: counted by callgrind, so the same whatever else
# the machine does. It needs `valgrind` and `wrk` (apt install valgrind wrk).
#
#   benches/instructions.sh
#
# DELIVERIES are counted, after HISTORY that are in the tables before; CONNECTIONS post them. With
# TOP=40 the forty functions that take most by themselves are listed too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

DELIVERIES=${DELIVERIES:-19800}
HISTORY=${HISTORY:-40000}
CONNECTIONS=${CONNECTIONS:-64}
PORT=${PORT:-18471}
TOP=${TOP:-0}
# Longer than any of it takes: wrk stops by itself when all is posted.
SECONDS_MAX=900

for tool in valgrind callgrind_control callgrind_annotate wrk; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt install valgrind wrk" >&2; exit 1; }
done
cargo build --locked --release --bin footfall
program="${CARGO_TARGET_DIR:-target}/release/footfall"
folder=$(mktemp -d)
service=''
trap '[[ -z "$service" ]] || kill "$service" 2>/dev/null; wait; rm -rf "$folder"' EXIT

# Runs the service, under what is given before its name, until it can be reached.
start() {
    : >"$folder/log"
    "$@" "$program" serve --data "$folder/data" --listen "127.0.0.1:$PORT" >>"$folder/log" 2>&1 &
    service=$!
    for _ in {1..600}; do
        ! grep -q listening "$folder/log" || return 0
        kill -0 "$service" || break
        sleep 0.1
    done
    cat "$folder/log" >&2
    return 1
}

stop() {
    kill "$service"
    wait "$service"
    service=''
}

next=0
# Posts so many deliveries, none of which came before; each must be accepted.
post() {
    local said
    said=$(wrk --threads 1 --connections "$CONNECTIONS" --duration "$SECONDS_MAX" --timeout 60 \
        --script benches/instructions.lua "http://127.0.0.1:$PORT$path" -- "$secret" "$next" "$1" "$began")
    said=$(grep -o 'accepted [0-9]*, other 0$' <<<"$said") || { echo 'not all were accepted' >&2; return 1; }
    accepted=$(grep -o '[0-9]*' <<<"${said%,*}")
    # Of some the answer was not waited for.
    next=$((next + accepted + CONNECTIONS + 1))
}

"$program" gym add gym --name Gym --time-zone Europe/Berlin --data "$folder/data" >/dev/null
webhook=$("$program" webhook add gym --data "$folder/data" 2>/dev/null)
path=$(sed -n 's/^path *//p' <<<"$webhook")
secret=$(sed -n 's/^secret *//p' <<<"$webhook")
# Midnights some days ago, so that each run has the same days.
began=$(((EPOCHSECONDS / 86400 - (HISTORY + DELIVERIES) / 5760 - 2) * 86400000))

start
post "$HISTORY"
stop
start valgrind --tool=callgrind --instr-atstart=no --separate-threads=yes \
    --callgrind-out-file="$folder/counted"
# The first deliveries prepare statements and fill caches.
post 500
callgrind_control --instr=on "$service" >/dev/null
post "$DELIVERIES"
callgrind_control --instr=off "$service" >/dev/null
callgrind_control --dump "$service" >/dev/null
stop

# Of each thread one file. Of each function what it took by itself, and with what it called.
for thread in "$folder"/counted.1-*; do
    for inclusive in no yes; do
        callgrind_annotate --auto=no --threshold=100 --show-percs=no --inclusive="$inclusive" \
            "$thread" >"$thread.$inclusive" 2>/dev/null
    done
done
http=$(grep -l 'http::deliveries::receive\|handler_service' "$folder"/counted.1-*.yes)
writer=$(grep -l 'writer::Writer::run' "$folder"/counted.1-*.yes)
all=$(ls "$folder"/counted.1-*.yes)

# A line of the table: instructions per delivery of functions that match, in some threads. A function
# with what it called (`yes`) stands in the list once for each file that was inlined into it. One that
# was itself inlined is in no list: `-`.
line() {
    local name="$1" inclusive="$2" threads="$3" pattern="$4"
    # shellcheck disable=SC2086
    awk -v name="$name" -v inclusive="$inclusive" -v pattern="$pattern" -v accepted="$accepted" '
        { count = $1; gsub(/,/, "", count); count += 0 }
        $2 !~ /:/ || $0 !~ pattern { next }
        inclusive == "no" { sum += count; next }
        { $1 = $2 = ""; sub(/ \[.*/, "") }
        count > most[FILENAME] { most[FILENAME] = count }
        END {
            for (file in most) sum += most[file]
            printf "%-44s %10s\n", name, sum ? sprintf("%.0f", sum / accepted) : "-"
        }' ${threads//.yes/.$inclusive}
}

# What threads took in all.
total() {
    # shellcheck disable=SC2086
    awk -v name="$1" -v accepted="$accepted" '
        /PROGRAM TOTALS/ { gsub(/,/, "", $1); sum += $1 }
        END { printf "%-44s %10.0f\n", name, sum / accepted }' $2
}

printf '%d deliveries over %d connections, after %d: instructions per delivery\n\n' \
    "$accepted" "$CONNECTIONS" "$HISTORY"
total 'all' "$all"
total 'HTTP' "$http"
line '  who sends it' yes "$http" ':.*sender::(authenticate|presented)|:.*Sender::known|:.*KnownWebhooks::with'
line '  what it says' yes "$http" ':.*deliveries::understand'
line '  which route' yes "$http" ':.*AppRouting as'
total 'writer' "$writer"
line '  append' yes "$writer" ':.*projection::apply::(deliver|take_in)( |$)'
line '    into the log' yes "$writer" ':.*store::tx::Tx>::append( |$)'
line '    whose it is' yes "$writer" ':.*Tx>::known( |$)'
line '    stretches read' yes "$writer" ':.*apply::touching( |$)|:.*Tx>::stretches_touching( |$)'
line '    stretches replaced' yes "$writer" ':.*projection::apply::replace( |$)'
line '  commit' yes "$writer" ':.*store::tx::Tx::commit( |$)'
line '    tallies' yes "$writer" ':.*Tx>::add_to_row( |$)'
line 'everywhere: SQLite' yes "$all" ':sqlite3_step( |$)'
line '  of it parsing' yes "$all" ':sqlite3LockAndPrepare( |$)'
line 'everywhere: checksums of rows' yes "$all" ':footfall::store::checksums::hash( |$)'
line 'everywhere: SHA-256' no "$all" ':sha2::sha256::'
line 'everywhere: allocator' no "$all" ':(malloc|free|realloc|calloc|_int_malloc|_int_free|_int_realloc|mi_[a-z_]*)( |$)'
line 'everywhere: memset' no "$all" ':__memset'

if ((TOP > 0)); then
    printf '\nmost by themselves\n\n'
    # shellcheck disable=SC2086
    awk -v accepted="$accepted" '
        { count = $1; gsub(/,/, "", count); count += 0 }
        $2 !~ /:/ { next }
        { $1 = ""; sub(/ \[.*/, ""); sub(/^ *[^ :]*:/, ""); sum[$0] += count }
        END { for (name in sum) printf "%10.0f  %s\n", sum[name] / accepted, name }' \
        ${all//.yes/.no} | sort -rn | head -n "$TOP"
fi
