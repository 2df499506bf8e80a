#!/usr/bin/env bash
# The container, built and run: `tests/container.sh <footfall's binary>`, as root. The last stage of
# packaging/container/Dockerfile is built by buildah and run by runc as the manifests run it: no
# rights, nothing writable but the volume. No registry is asked: what it rests on is a Debian of
# debootstrap, and what its first stage would build is the binary that is given.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
packaging/needs tests/container.sh buildah runc debootstrap curl python3
((EUID == 0)) || { echo 'tests/container.sh: it needs root, as containers here do' >&2; exit 1; }

# What waits longer hangs.
SECONDS_MAX=60

work=$(mktemp -d)
images() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }
container() { runc --root "$work/runc" "$@"; }
ended() {
    container delete --force footfall >/dev/null 2>&1 || true
    images umount --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap ended EXIT

fail() {
    echo "tests/container.sh: $*" >&2
    exit 1
}

# An image of a folder.
image_of() {
    local made
    made=$(images from scratch)
    images copy -q "$made" "$1" / >/dev/null
    images commit -q "$made" "$2" >/dev/null
    images rm "$made" >/dev/null
    rm -rf "$1"
}

# A container that runs: its log is what it says.
start() {
    container run --detach --bundle "$work/bundle" footfall >>"$work/log" 2>&1 </dev/null ||
        fail "it does not start: $(cat "$work/log")"
    local until=$((SECONDS + SECONDS_MAX))
    until inside health >/dev/null 2>&1; do
        ((SECONDS < until)) || fail "not healthy within $SECONDS_MAX s: $(cat "$work/log")"
    done
}

# Ends as an engine ends it, and well.
stop() {
    local until=$((SECONDS + SECONDS_MAX))
    container kill footfall TERM
    until [[ "$(container state footfall | field status)" == stopped ]]; do
        ((SECONDS < until)) || fail "it does not end"
    done
    container delete footfall
}

inside() { container exec footfall footfall "$@"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$@"; }

echo '-- what it rests on'
debootstrap --variant=minbase bookworm "$work/base" >"$work/log" || fail "$(tail -n 5 "$work/log")"
image_of "$work/base" docker.io/library/debian:bookworm-slim
install -D "$binary" "$work/built/footfall/target/release/footfall"
image_of "$work/built" localhost/built

echo '-- built'
images build --pull-never --isolation chroot --format docker --tag footfall \
    --build-context build=container-image://localhost/built \
    --file packaging/container/Dockerfile . >"$work/log" 2>&1 || fail "$(tail -n 20 "$work/log")"

echo '-- run'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
made=$(images from --pull-never localhost/footfall)
root=$(images mount "$made")
mkdir "$work/bundle"
cp -a "$root/var/lib/footfall" "$work/volume"
(cd "$work/bundle" && runc spec)
# As the image says it, with this machine's network.
images inspect "$made" >"$work/image.json"
python3 - "$work" "$root" "$port" <<'SCRIPT'
import json, sys

work, root, port = sys.argv[1:]
image = json.load(open(f"{work}/image.json"))["OCIv1"]["config"]
path = f"{work}/bundle/config.json"
spec = json.load(open(path))
user, group = map(int, image["User"].split(":"))
process = spec["process"]
process.update(
    terminal=False,
    args=image["Entrypoint"] + image["Cmd"],
    cwd=image["WorkingDir"],
    env=image["Env"] + [f"FOOTFALL_LISTEN=127.0.0.1:{port}"],
    user={"uid": user, "gid": group},
    capabilities={kind: [] for kind in process["capabilities"]},
    noNewPrivileges=True,
)
spec["root"] = {"path": root, "readonly": True}
[volume] = image["Volumes"]
kept = [mount for mount in spec["mounts"] if mount["destination"] in ("/proc", "/dev")]
data = {"destination": volume, "type": "none", "source": f"{work}/volume", "options": ["rbind", "rw"]}
spec["mounts"] = kept + [data]
own = [one for one in spec["linux"]["namespaces"] if one["type"] not in ("network", "cgroup")]
spec["linux"]["namespaces"] = own
json.dump(spec, open(path, "w"))
SCRIPT
start
[[ "$(container exec footfall id -u)" != 0 ]] || fail 'it runs as root'
! container exec footfall touch /written 2>/dev/null || fail 'its system can be written to'
inside gym add mitte --name Mitte --time-zone Europe/Berlin --json >/dev/null
webhook=$(inside webhook add mitte --json 2>"$work/said")
[[ ! -s "$work/said" ]] || fail "$(cat "$work/said")"
deliver() {
    curl -sS --fail-with-body -H "x-api-key: $(field secret <<<"$webhook")" -d "{
        \"accountId\": \"$(cat /proc/sys/kernel/random/uuid)\", \"timestamp\": $(date +%s)000,
        \"type\": \"GYM_CHECKIN\"}" "http://127.0.0.1:$port$(field path <<<"$webhook")"
}
[[ "$(deliver)" == *accepted* ]] || fail 'a delivery is not taken'
stop

echo '-- and again, with what it kept'
start
inside verify
[[ "$(inside verify --json | field events)" == 1 ]] || fail 'the delivery is gone'
stop
