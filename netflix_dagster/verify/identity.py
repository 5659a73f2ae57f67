"""Who this process is to the storage account, and the commands that give it a role there."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from netflix_dagster.azure import access, identity
from netflix_dagster.storage import adls
from netflix_dagster.verify.steps import Grant, Lacking, Step, Trial

WHO = "identity"
_LOGIN = Grant(
    "an identity in Azure",
    "az login    # on a laptop; on a host in Azure: az webapp|containerapp|vm identity assign",
)


def step(trial: Trial, scope: str = access.SCOPE) -> Step:
    """Find out as whom this process opens the storage account; without a key or a signature, by a token."""
    return Step(WHO, lambda: _who(trial, scope), lambda: _LOGIN)


def _who(trial: Trial, scope: str) -> str:
    found = access.Access(trial.settings.storage_credential, trial.settings.tenant, trial.settings.vault).granted()
    if scope == access.SCOPE and isinstance(found, access.Key):
        return f"the key of {'an emulator' if adls.elsewhere() else 'the account'}: it may do everything"
    if scope == access.SCOPE and isinstance(found, access.Signature):
        return "a shared access signature"
    if scope == access.SCOPE and isinstance(found, access.Principal):
        return f"the service principal {found.client}"
    try:
        token = identity.token(scope, trial.settings.tenant)
    except identity.IdentityError as error:
        raise Lacking(str(error), _LOGIN) from error
    said = claims(token.token)
    trial.who = str(said.get("oid", trial.who))
    minutes = (datetime.fromtimestamp(token.expires_on, UTC) - datetime.now(UTC)).total_seconds() / 60
    name = said.get("upn") or said.get("appid") or "a managed identity"
    return f"object {trial.who} ({name}) of tenant {said.get('tid')}; its token is good for {minutes:.0f} minutes"


def claims(token: str) -> dict[str, object]:
    """What a token says of its holder; nothing when it cannot be read. Nobody's signature is checked here."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def role(trial: Trial, name: str, account: str, below: str) -> Grant:
    """A role on a part of a storage account: ``blobServices/default/containers/x``, ``queueServices/...``."""
    what = below.rsplit("/", 2)
    return Grant(
        f"{name} on the {what[1].removesuffix('s')} {what[2]} of {account}",
        f"az role assignment create --assignee-object-id {trial.who} --assignee-principal-type ServicePrincipal"
        f" --role '{name}' --scope"
        f' "$(az storage account show --name {account} --query id --output tsv)/{below}"',
    )
