#!/usr/bin/env bash
# Puts dagster.yaml together, then becomes the command. DAGSTER_INSTANCE says where Dagster's databases are: azure (no
# password) or compose.
set -euo pipefail

here=$(dirname "$0")
own="$here/instance.${DAGSTER_INSTANCE:?azure or compose}.yaml"
if [ ! -f "$own" ]; then
  echo "DAGSTER_INSTANCE=$DAGSTER_INSTANCE: there is no $own; nothing was started" >&2
  exit 2
fi
mkdir -p "${DAGSTER_HOME:?}"
cat "$here/instance.yaml" "$own" >"$DAGSTER_HOME/dagster.yaml"
exec "$@"
