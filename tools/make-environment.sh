#!/usr/bin/env bash
# Make the environment in the folder "$1", or bring it up to date: this package, editable, with all
# that it and its development need, at the versions of constraints.txt, and the class paths of the
# Rubin pipelines for its tasks. Uses uv where there is one (seconds), pip otherwise (a minute or two).
set -euo pipefail

environment=$1
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# An environment outlives neither its interpreter nor a move of its folder.
if ! "$environment/bin/python" -c '' 2>/dev/null; then
  python=$(tools/find-python.sh)
  echo "Making $environment with $("$python" --version) at $python"
  rm -rf "$environment"
  "$python" -m venv "$environment"
fi

# Byte-compiled now, because where PYTHONDONTWRITEBYTECODE is set nothing would be compiled later
# and each start would take seconds. pip compiles by itself.
if command -v uv >/dev/null; then
  uv pip install --quiet --python "$environment/bin/python" --compile-bytecode \
    --constraint constraints.txt --editable '.[dev]' ./packages/rubin-names
else
  "$environment/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    --constraint constraints.txt --editable '.[dev]' ./packages/rubin-names
fi

# The kernels are compiled on first use, which would take a quarter of a minute then.
"$environment/bin/python" -c 'from cellcoadd.testing.kernel_exercise import exercise; exercise()'
