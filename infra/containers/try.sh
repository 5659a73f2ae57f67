#!/usr/bin/env bash
# Tries an image that was built: try.sh NAME:TAG code|dagster. As nobody, with nothing to write to but /tmp and the home.
set -euo pipefail
image=$1 kind=$2
run=(docker run --rm --read-only --tmpfs /tmp --tmpfs "/opt/dagster/home:uid=10001,gid=10001" --cap-drop ALL
  --security-opt no-new-privileges --env DAGSTER_INSTANCE=compose)

docker image inspect --format "$image: {{.Size}} bytes, user {{.Config.User}}" "$image"
[ "$("${run[@]}" "$image" id -u)" = 10001 ]
if "${run[@]}" "$image" touch /opt/dagster/written 2>/dev/null; then
  echo "the root file system of $image can be written" >&2
  exit 1
fi
case $kind in
code) time "${run[@]}" --entrypoint python "$image" -c "import netflix_dagster.definitions" ;;
dagster) time "${run[@]}" --entrypoint dagster-webserver "$image" --version ;;
esac
