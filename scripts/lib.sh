# Set-up shared by scripts/check, scripts/test and scripts/demo.  Sourced with bash, never run.
#
#   setup_venv [EXTRAS]           .venv with zonda in it (editable) and the extras of pyproject.toml
#   setup_debian PURPOSE...       Debian packages that tests use, each as package=what-is-skipped-without-it

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=.venv/bin/python

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

# The stamp holds what was installed from: a change of pyproject.toml or of the interpreter installs anew.
setup_venv() {
    local extras=${1:-} base stamp wanted
    if [ ! -x "$PYTHON" ]; then
        base=$(find_python)
        say "making .venv with $("$base" --version)"
        "$base" -m venv .venv ||
            die "could not make .venv; on Debian, python3-venv may be missing: apt-get install python3-venv"
    fi
    stamp=.venv/.installed-${extras:-plain}
    wanted=$("$PYTHON" --version; cksum <pyproject.toml)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "installing zonda${extras:+[$extras]} in .venv"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --editable ".${extras:+[$extras]}" ||
        die "pip could not install zonda; its message is above. Once that is mended, run this again."
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
        if apt-get -qq update >/dev/null &&
            DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
                "${missing[@]}" </dev/null >/dev/null; then
            return
        fi
        # In CI a test that quietly does not run is worse than a red run.
        [ -z "${CI:-}" ] || die "apt-get could not install ${missing[*]}; its message is above"
        say "apt-get could not install ${missing[*]} (its message is above):"
    fi
    printf '%s\n' "${what[@]}" >&2
}
