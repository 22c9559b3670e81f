#!/usr/bin/env bash
# Creates the Python environment of the project from the lock file; PYTHON names the interpreter, if it matters which.
set -euo pipefail
venv=$1
python=
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || { echo "Sluice needs Python 3.11, 3.12 or 3.13: install one and run this again." >&2; exit 1; }
echo "· Python environment in $venv ($("$python" --version))"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.lock
VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --no-deps --editable .
