#!/usr/bin/env bash
# Installs what an image holds into a folder: install.sh code|dagster FOLDER
# Runs where pyproject.toml and uv.lock lie, in an image and in a test alike. Versions are those of uv.lock.
set -euo pipefail

image=${1:?"which image: code or dagster"}
export UV_PROJECT_ENVIRONMENT=${2:?"the folder to install into"}

case $image in
code) uv sync --frozen --no-dev --no-editable --extra azure --extra data-factory --extra databases --extra powerbi --extra synapse --group instance ;;
dagster) uv sync --frozen --no-install-project --only-group instance ;;
*)
  echo "there is no image $image: code or dagster" >&2
  exit 2
  ;;
esac
