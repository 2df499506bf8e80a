#!/usr/bin/env bash
# The package, looked at and used as an operator would: `tests/package.sh <footfall_….deb>`. Root is
# needed for the part that installs it, which happens in a copy of this system that is gone afterwards.
set -euo pipefail
package=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Of systemd's measure of what a service could do to the system, 0 to 100; 40 is "ok".
EXPOSURE_MAX=20
# What waits longer hangs.
SECONDS_MAX=30

work=$(mktemp -d)
ended() {
    [[ -z "${service:-}" ]] || kill "$service" 2>/dev/null || true
    rm -rf "$work"
}
trap ended EXIT

fail() {
    echo "tests/package.sh: $*" >&2
    exit 1
}

# Tries until it succeeds.
eventually() {
    local until=$((SECONDS + SECONDS_MAX))
    until "$@" >"$work/said" 2>&1; do
        ((SECONDS < until)) || fail "not within $SECONDS_MAX s: $*: $(cat "$work/said")"
    done
}

packaging/needs tests/package.sh dpkg-deb:dpkg systemd-analyze:systemd \
    systemd-socket-activate:systemd lintian man:man-db zsh fish curl python3

echo '-- lintian'
lintian --allow-root --fail-on error "$package"

root="$work/root"
dpkg-deb -x "$package" "$root"
export FOOTFALL_DATA="$work/data"

echo '-- manual pages'
for page in "$root"/usr/share/man/man1/*.gz; do
    said=$(MANROFFSEQ='' MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [[ -z "$said" ]] || fail "$page: $said"
done
ls "$root/usr/share/man/man1" | wc -l

echo '-- completions'
share="$root/usr/share"
said=$(bash --norc -c ". '$share/bash-completion/completions/footfall'
    COMP_WORDS=(footfall web) COMP_CWORD=1; _footfall footfall web footfall; echo \"\${COMPREPLY[*]}\"")
[[ "$said" == webhook ]] || fail "bash completes to: $said"
said=$(zsh -f -c "fpath=('$share/zsh/vendor-completions' \$fpath); autoload -Uz compinit
    compinit -D -u; echo \$_comps[footfall]; autoload +X _footfall && echo loaded" 2>&1)
[[ "$said" == $'_footfall\nloaded' ]] || fail "zsh says: $said"
said=$(fish --no-config -c "source '$share/fish/vendor_completions.d/footfall.fish'
    complete --do-complete 'footfall webh'" | cut -f 1)
[[ "$said" == webhook ]] || fail "fish completes to: $said"

echo '-- units'
# Systemd looks for the binary where the unit says.
sed -i "s|/usr/bin/footfall|$root&|" "$root/usr/lib/systemd/system/footfall.service"
units=("$root"/usr/lib/systemd/system/footfall.{service,socket})
said=$(systemd-analyze verify --man=no --recursive-errors=no "${units[@]}" 2>&1)
[[ -z "$said" ]] || fail "$said"
systemd-analyze security --offline=true --no-pager --threshold="$EXPOSURE_MAX" "${units[0]}" | tail -n 1

echo '-- configuration'
FOOTFALL_CONFIG="$root/etc/footfall/footfall.toml" "$root/usr/bin/footfall" check-config >"$work/packaged"
"$root/usr/bin/footfall" check-config >"$work/default"
diff "$work/packaged" "$work/default" || fail 'the packaged configuration is not the default'

echo '-- served through its socket'
footfall="$root/usr/bin/footfall"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url="http://127.0.0.1:$port"
"$footfall" gym add mitte --name Mitte --time-zone Europe/Berlin --json >/dev/null
"$footfall" webhook add mitte --json >"$work/webhook"
"$footfall" token add test --role admin --json >"$work/token"
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"; }
systemd-socket-activate --listen="127.0.0.1:$port" --fdname=listen --setenv=FOOTFALL_DATA="$FOOTFALL_DATA" \
    "$footfall" serve >"$work/log" 2>&1 &
service=$!
eventually "$footfall" health --listen "127.0.0.1:$port"
account=$(cat /proc/sys/kernel/random/uuid)
deliver() {
    curl -sS --fail-with-body -H "x-api-key: $(field "$work/webhook" secret)" \
        -d "{\"accountId\": \"$account\", \"timestamp\": $(date +%s)000, \"type\": \"GYM_CHECKIN\"}" \
        "$url$(field "$work/webhook" path)"
}
ask() { curl -sS --fail-with-body -H "Authorization: Bearer $(field "$work/token" token)" "$url$1"; }
said=$(deliver)
[[ "$said" == *accepted* ]] || fail "not accepted: $said"
ask /api/v1/gyms/mitte/occupancy >"$work/now"
[[ "$(field "$work/now" present)" == 1 ]] || fail "nobody is there: $(cat "$work/now")"
"$footfall" erase --gym mitte "$account" >/dev/null
[[ "$(ask "/api/v1/gyms/mitte/members/$account")" == *not_found* ]] || fail 'the member is still there'
"$footfall" backup "$work/copy" >/dev/null
FOOTFALL_DATA="$work/copy" "$footfall" verify
"$footfall" verify
kill "$service" && wait "$service" || true
service=''

if ((EUID != 0)) || ! unshare --mount true; then
    echo '-- NOT installed: that needs root and a mount namespace'
    exit 0
fi
echo '-- installed, upgraded and purged'
unset FOOTFALL_DATA
unshare --mount tests/package-installed.sh "$package" "$work"
