# Sourced by scripts/demo and scripts/test: the one place that makes .venv.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
venv="$root/.venv"

# set_up runtime|dev|docs: make .venv and install lesionscan into it, where that is not done yet.
# "dev" and "docs" add the tools of that dependency group; "dev" also adds every extra but "train",
# which is large.
set_up() {
    state=$(set_up_state)
    if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$1.stamp" 2>/dev/null)" = "$state" ]; then
        return
    fi
    python=$venv/bin/python
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        find_python
    fi
    echo "setting up $venv (once; some minutes) ..." >&2
    if [ "$python" != "$venv/bin/python" ]; then
        "$python" -m venv --clear "$venv" || fail "no environment could be made in $venv"
    fi
    : >"$venv/extra.txt"
    package=$root
    if [ "$1" = dev ]; then
        package="$root[dask,parquet,dicom]"
    fi
    if [ "$1" != runtime ]; then
        # Read from pyproject.toml here, since pip itself does so only from version 25.1 on.
        "$venv/bin/python" -c 'import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print("\n".join(tomllib.load(file)["dependency-groups"][sys.argv[2]]))' \
            "$root/pyproject.toml" "$1" >"$venv/extra.txt"
    fi
    # --no-user: a user-wide "install for me" setting would be an error inside an environment.
    if ! "$venv/bin/python" -m pip install --no-user --constraint "$root/constraints.txt" \
        --requirement "$venv/extra.txt" --editable "$package" >"$venv/setup.log" 2>&1; then
        tail -n 20 "$venv/setup.log" >&2
        fail "installing failed; the lines above say why, all of them are in $venv/setup.log"
    fi
    # Last, so that an installation that was stopped half way is done again.
    echo "$state" >"$venv/runtime.stamp"
    echo "$state" >"$venv/$1.stamp"
}

# What an installation depends on; the place too, because an editable one points to it.
set_up_state() {
    echo "$root"
    (cd "$root" && cksum pyproject.toml constraints.txt)
}

# Set $python to a Python that can make an environment: $PYTHON where it is set, else the newest.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.14 python3.13 python3.12 python3.11 python3
    fi
    bare=
    for python in "$@"; do
        # Run, not looked up: a version manager puts names on the path that do not run.
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                return
            fi
            bare=$python
        fi
    done
    if [ -n "$bare" ]; then
        fail "$bare lacks venv or ensurepip; install them (Debian, Ubuntu: the package python3-venv)"
    fi
    fail "no Python 3.11 or newer found (tried: $*); install one, or name it: PYTHON=/path/to/python $0"
}

fail() {
    echo "${0##*/}: $1" >&2
    exit 1
}
