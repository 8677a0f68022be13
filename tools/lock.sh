#!/bin/sh
# Writes both locks anew from pyproject.toml (needs uv). Run after a change of the dependencies; commit the result.
set -eu
cd "$(dirname "$0")/.."
common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet"
uv pip compile pyproject.toml --group build $common "$@" -o requirements.lock
uv pip compile pyproject.toml --group build --group dev --extra spark --extra postgres \
    --constraint requirements.lock $common "$@" -o requirements-dev.lock
