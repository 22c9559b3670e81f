#!/usr/bin/env bash
# Pins every dependency of every image and of the developer's environment from one resolution.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(.venv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url
         --no-annotate --custom-compile-command "make lock" pyproject.toml)
"${compile[@]}" --all-extras --group dev -o requirements/dev.lock
for extra in operator server collector tracking; do
  "${compile[@]}" --extra "$extra" -c requirements/dev.lock -o "requirements/$extra.lock"
done
