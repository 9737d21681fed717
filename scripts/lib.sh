# Set-up shared by scripts/check, scripts/test and scripts/demo.  Sourced with bash, never run.
#
#   setup_venv [EXTRAS]           .venv with zonda in it (editable) and the extras of pyproject.toml
#   setup_compiled [EXTRAS]       .venv-compiled with the wheel of it, compiled; sets PYTHON
#   setup_debian PURPOSE...       Debian packages that tests use, each as package=what-is-skipped-without-it

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=.venv/bin/python
export PIP_CONSTRAINT=$PWD/scripts/constraints.txt # builds in their own environment read it too

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "zonda needs Python 3.11 or newer, and none was found" \
        "(python3 is: $(python3 --version 2>&1 || true)). On Debian: apt-get install python3 python3-venv"
}

make_venv() {
    local venv=$1 base
    [ -x "$venv/bin/python" ] && return
    base=$(find_python)
    say "making $venv with $("$base" --version)"
    "$base" -m venv "$venv" ||
        die "could not make $venv; on Debian, python3-venv may be missing: apt-get install python3-venv"
}

pip_install() {
    "$PYTHON" -m pip install --quiet --disable-pip-version-check "$@" ||
        die "pip could not install zonda; its message is above. Once that is mended, run this again."
}

# The stamp holds what was installed from: a change of pyproject.toml or of the interpreter installs anew.
setup_venv() {
    local extras=${1:-} stamp wanted
    make_venv .venv
    stamp=.venv/.installed-${extras:-plain}
    wanted=$("$PYTHON" --version; cat pyproject.toml "$PIP_CONSTRAINT" | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "installing zonda${extras:+[$extras]} in .venv"
    # Pure Python: what is tested is what is edited.
    ZONDA_EXTENSION=0 pip_install --editable ".${extras:+[$extras]}"
    printf '%s\n' "$wanted" >"$stamp"
}

# Here a change of any source builds and installs anew; the wheel is built from a copy, so that nothing
# of an earlier build is in it, and nothing of this one in the tree.
setup_compiled() {
    local extras=${1:-} stamp wanted copy
    PYTHON=.venv-compiled/bin/python
    make_venv .venv-compiled
    stamp=.venv-compiled/.installed-${extras:-plain}
    wanted=$("$PYTHON" --version; find src setup.py pyproject.toml README.md LICENSE "$PIP_CONSTRAINT" -type f \
        -not -name '*.pyc' -not -path '*.egg-info/*' -print0 | sort -z | xargs -0 cksum | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' RETURN
    cp -r src setup.py pyproject.toml README.md LICENSE "$copy"
    say "building the compiled wheel (a minute or two)"
    ZONDA_EXTENSION=1 "$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-deps \
        --wheel-dir "$copy/wheel" "$copy" || die "the compiled wheel could not be built; why is told above"
    say "installing it${extras:+ with the extras $extras} in .venv-compiled"
    pip_install --force-reinstall --no-deps "$copy"/wheel/*.whl
    pip_install "$(echo "$copy"/wheel/*.whl)${extras:+[$extras]}"
    printf '%s\n' "$wanted" >"$stamp"
}

# Which of the packages are there is asked each time: dpkg answers in milliseconds.
setup_debian() {
    local entry missing=() what=()
    for entry in "$@"; do
        if ! dpkg-query -W -f '${Status}' "${entry%%=*}" 2>/dev/null | grep -q 'ok installed'; then
            missing+=("${entry%%=*}")
            what+=("  ${entry%%=*}: without it, ${entry#*=} are skipped")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null; then
        say "This is not Debian, so these are not installed by this script; a test that finds its program runs:"
    elif [ "$(id -u)" -ne 0 ]; then
        say "Not root, so Debian packages cannot be installed (as root: apt-get install ${missing[*]}):"
    else
        say "installing Debian packages: ${missing[*]}"
        # One run at a time: in CI both builds' tests want them.
        if (
            flock 9
            apt-get -qq update >/dev/null &&
                DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
                    "${missing[@]}" </dev/null >/dev/null
        ) 9<pyproject.toml; then
            return
        fi
        # In CI a test that quietly does not run is worse than a red run.
        [ -z "${CI:-}" ] || die "apt-get could not install ${missing[*]}; its message is above"
        say "apt-get could not install ${missing[*]} (its message is above):"
    fi
    printf '%s\n' "${what[@]}" >&2
}
