#!/usr/bin/env bash
# Installs the package, upgrades to a higher version of it and purges it, in a copy of this system
# that is in memory: `tests/package.sh` calls it in a mount namespace of its own.
set -euo pipefail
package="$1" work="$2/system"

fail() {
    echo "tests/package-installed.sh: $*" >&2
    exit 1
}

mkdir "$work"
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,work,system}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/system"
mount --bind /proc "$work/system/proc"
mount --bind /dev "$work/system/dev"
# A higher version, with the same in it.
mkdir "$work/next"
dpkg-deb -R "$package" "$work/next/files"
sed -i 's/^Version: .*/&+next/' "$work/next/files/DEBIAN/control"
# An upgrade whose default changed: what the operator said stays.
sed -i 's/^#filter = .*/#filter = "info"/' "$work/next/files/etc/footfall/footfall.toml"
dpkg-deb --root-owner-group -Znone --build "$work/next/files" "$work/system/next.deb" >/dev/null
cp "$package" "$work/system/first.deb"

in_system() { chroot "$work/system" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
as_footfall() { in_system setpriv --reuid=footfall --regid=footfall --clear-groups "$@"; }
owner() { in_system stat -c '%a %U:%G' "$1"; }

in_system dpkg -i /first.deb >/dev/null
[[ "$(owner /var/lib/footfall)" == '700 footfall:footfall' ]] || fail "data: $(owner /var/lib/footfall)"
[[ "$(owner /etc/footfall/footfall.toml)" == '640 root:footfall' ]] ||
    fail "configuration: $(owner /etc/footfall/footfall.toml)"
in_system systemctl is-enabled footfall.socket footfall.service
# Commands find configuration and data without a word; who may not is told as whom.
as_footfall footfall gym add mitte --name Mitte --time-zone Europe/Berlin >/dev/null
[[ -s "$work/system/var/lib/footfall/footfall.db" ]] || fail 'the database is somewhere else'
said=$(in_system setpriv --reuid=nobody --regid=nogroup --clear-groups footfall gym list 2>&1) &&
    fail "nobody may: $said"
[[ "$said" == *'sudo -u footfall'* ]] || fail "it says: $said"

echo 'public_url = "https://gym.example.com"' | cat - "$work/system/etc/footfall/footfall.toml" >"$work/changed"
cat "$work/changed" >"$work/system/etc/footfall/footfall.toml"
in_system dpkg --force-confold -i /next.deb >/dev/null 2>&1
[[ "$(as_footfall footfall check-config)" == *gym.example.com* ]] || fail 'an upgrade lost the configuration'
[[ "$(owner /etc/footfall/footfall.toml)" == '640 root:footfall' ]] || fail 'an upgrade opened it'
[[ "$(as_footfall footfall gym list)" == *mitte* ]] || fail 'an upgrade lost the data'

[[ "$(in_system dpkg --purge footfall 2>&1)" == *'is kept'* ]] || fail 'a purge says that the data is kept'
[[ -s "$work/system/var/lib/footfall/footfall.db" && ! -e "$work/system/etc/footfall/footfall.toml" &&
    ! -e "$work/system/usr/bin/footfall" ]] || fail 'a purge leaves the data, and nothing else'
in_system sh -c 'ls /etc/systemd/system/*/footfall* 2>/dev/null' && fail 'a purge left links to units'
echo 'fine'
