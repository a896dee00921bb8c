#!/usr/bin/env bash
# Print the path of a Python that can run cellcoadd, or say on standard error what to install.
#
# Looked at in this order: $PYTHON, if it is set; python3.13, python3.12, python3.14 and python3 on
# the PATH; the versions that pyenv holds; the versions that uv knows. The first that is new
# enough and can make environments is taken.
set -euo pipefail

without_venv=""

# Sets `found` to the interpreter behind the command "$1"; fails if it is missing or does not fit.
# A shim of pyenv for a version that is not selected exists but does not run, so each is started.
try() {
  found=$("$1" -c 'import sys; sys.version_info >= (3, 12) or sys.exit(1); print(sys.executable)' \
    2>/dev/null) || return 1
  if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
    without_venv=$found
    return 1
  fi
}

candidates() {
  printf '%s\n' python3.13 python3.12 python3.14 python3
  local root=${PYENV_ROOT:-$HOME/.pyenv}
  printf '%s\n' "$root"/versions/3.13*/bin/python3 "$root"/versions/3.*/bin/python3
  if command -v uv >/dev/null; then uv python find '>=3.12' 2>/dev/null || true; fi
}

if [ -n "${PYTHON:-}" ]; then
  if try "$PYTHON"; then
    printf '%s\n' "$found"
    exit 0
  fi
  cat >&2 <<MESSAGE
PYTHON=$PYTHON does not run here, is older than 3.12, or lacks its venv module. Under pyenv a short
name runs only if .python-version selects it: give the path, as "pyenv which" or "uv python find" do.
MESSAGE
  exit 1
fi

while IFS= read -r candidate; do
  if try "$candidate"; then
    printf '%s\n' "$found"
    exit 0
  fi
done < <(candidates)

if [ -n "$without_venv" ]; then
  cat >&2 <<MESSAGE
$without_venv is new enough but cannot make environments: its venv or ensurepip module is missing.
On Debian and Ubuntu, install it with: apt-get install python3-venv
MESSAGE
else
  cat >&2 <<'MESSAGE'
No Python 3.12 or newer was found. Any of these provides one:
  uv python install 3.13
  pyenv install 3.13
  conda create -n py313 python=3.13 && conda activate py313
  the system's packages (python3.13, or python3.12 and python3.12-venv), or python.org
If one is installed elsewhere, name it: make env PYTHON=/path/to/python3.13
MESSAGE
fi
exit 1
