#!/usr/bin/env bash
# Write constraints.txt anew: install the newest versions that pyproject.toml allows into a
# throw-away environment and list them all.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$(tools/find-python.sh)" -m venv "$scratch/environment"
"$scratch/environment/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
  '.[dev]'
{
  sed -n '/^#/p' constraints.txt
  "$scratch/environment/bin/python" -m pip freeze --disable-pip-version-check --exclude cellcoadd
} > "$scratch/constraints.txt"
cp "$scratch/constraints.txt" constraints.txt
