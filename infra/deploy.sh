#!/usr/bin/env bash
# One step of a deployment: infra/deploy.sh STEP STACK, from anywhere. docs/deploy.md says when, and how to undo it.
#   images    build both images, push them, and write their digests into the stack's configuration
#   preview   show what would change in Azure, and refuse when something would be deleted or replaced
#   up        change it
#   migrate   make or migrate Dagster's tables, and wait until that is done
#   bundle    deploy the Databricks bundle
#   synapse   make or change the views, roles and grants of Synapse, in the stack's network, as who may
#   powerbi   deploy model and report to the workspace of Power BI, if the stack has one
#   try       ask what was deployed whether it answers, and whether it refuses a stranger
#   verify    netflix-dagster verify platform, in the stack's network, as the identity that builds
#   access    netflix-dagster verify access: who may do what, against infra/access.yaml
# Needed: az and pulumi, logged in; docker for images; databricks for the bundle; `make install` before powerbi and access.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$PWD/.venv/bin # uv: `make install` puts it there

steps="images, preview, up, migrate, bundle, synapse, powerbi, try, verify or access"
step=${1:?"which step: $steps"}
stack=${2:?"which stack: dev, staging or prod"}
case $stack in dev | staging | prod) ;; *) echo "there is no stack $stack: dev, staging or prod" >&2 && exit 2 ;; esac

stand() { pulumi --cwd infra/azure --stack "$stack" --non-interactive "$@"; }
output() { stand stack output "$1"; }

version() { .venv/bin/python -m setuptools_scm 2>/dev/null || echo 0.0.0; }

build() { # build IMAGE REGISTRY: prints netflix-IMAGE@sha256:...
  local told digest
  told=$(mktemp)
  docker buildx build --file infra/containers/Dockerfile --target "$1" --tag "$2/netflix-$1:$(git rev-parse HEAD)" \
    --build-arg "VERSION=$(version)" \
    --provenance=true --sbom=true --push --metadata-file "$told" . >&2
  digest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' "$told")
  echo "netflix-$1@$digest"
}

start() { # start JOB: run a job of the stack once and wait for its end
  local group job run state
  group=$(output resource_group)
  job=$(az containerapp job list --resource-group "$group" --query "[?contains(name, '$1')].name" --output tsv)
  run=$(az containerapp job start --resource-group "$group" --name "$job" --query name --output tsv)
  for _ in $(seq 360); do
    state=$(az containerapp job execution show --resource-group "$group" --name "$job" --job-execution-name "$run" \
      --query properties.status --output tsv)
    case $state in Succeeded) return 0 ;; Failed | Degraded | Stopped) break ;; *) sleep 10 ;; esac
  done
  echo "$1 ($run) ended as $state; nothing else was changed. Its log: az containerapp job logs show" >&2
  return 1
}

case $step in
images)
  registry=$(output registry)
  az acr login --name "${registry%%.*}"
  for image in code dagster; do
    stand config set --path "netflix-lakehouse:images.$image" "$(build "$image" "$registry")"
  done
  ;;
preview)
  stand preview --diff --json >"/tmp/netflix-preview-$stack.json" || { cat "/tmp/netflix-preview-$stack.json" && exit 1; }
  python3 - "/tmp/netflix-preview-$stack.json" <<'PYTHON'
import json, sys
steps = json.load(open(sys.argv[1])).get("steps", [])
lost = [s for s in steps if s["op"] in ("delete", "replace", "delete-replaced", "create-replacement")]
for s in steps:
    if s["op"] != "same":
        print(s["op"], s["urn"].rpartition("::")[2])
sys.exit(f"{len(lost)} things would be deleted or replaced: look at each, then run `pulumi up` by hand" if lost else 0)
PYTHON
  ;;
up) stand up --yes --skip-preview ;;
migrate | synapse | verify) start "$step" ;;
bundle)
  DATABRICKS_HOST=https://$(output workspace_url)
  DATABRICKS_AUTH_TYPE=azure-cli
  export DATABRICKS_HOST DATABRICKS_AUTH_TYPE
  for name in storage_account tenant_id service_principal service_credential key_vault; do
    export "BUNDLE_VAR_$name=$(output $name)"
  done
  cd infra/databricks
  databricks bundle validate --target "$stack"
  databricks bundle deploy --target "$stack"
  ;;
powerbi)
  workspace=$(stand config get powerbi_workspace) || { echo "$stack has no workspace of Power BI: nothing to do" && exit 0; }
  NETFLIX_POWERBI_WORKSPACE=$workspace uv run --quiet --frozen --extra powerbi --group deploy-powerbi \
    netflix-dagster powerbi deploy
  ;;
access)
  NETFLIX_RESOURCE_GROUP=$(output resource_group_id)
  export NETFLIX_RESOURCE_GROUP
  uv run --quiet --frozen --extra azure netflix-dagster verify access --yes --to build/verify
  ;;
try)
  group=$(output resource_group)
  az containerapp list --resource-group "$group" --query "[].[name, properties.runningStatus]" --output tsv |
    awk '{print} $2 != "Running" {bad = 1} END {exit bad || NR < 4}'
  said=$(curl --silent --output /dev/null --max-time 60 --write-out '%{http_code}' "$(output dagster)/server_info")
  case $said in
  302 | 401) echo "Dagster answers, and asks a stranger to log in ($said)" ;;
  *)
    echo "Dagster answers a stranger with $said: 302 or 401 is what it should be. Look at the login of the app" >&2
    exit 1
    ;;
  esac
  ;;
*)
  echo "there is no step $step: $steps" >&2
  exit 2
  ;;
esac
