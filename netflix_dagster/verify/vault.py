"""``verify vault``: that the Key Vault gives this identity the secrets that settings name, and lets it ask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial

from netflix_dagster.azure import telemetry, vault
from netflix_dagster.settings import Settings
from netflix_dagster.verify import identity
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.steps import Grant, Step, Target, Trial

_SCOPE = "https://vault.azure.net/.default"


def lacks(settings: Settings) -> str | None:
    return None if settings.vault else "no Key Vault: set NETFLIX_VAULT to its name"


def cost(_: Settings) -> str:
    return "a request for each secret that a setting names, and one for a secret that is not there: below 0.01 EUR"


def steps(trial: Trial) -> Iterator[Step]:
    name = str(trial.settings.vault)
    yield identity.step(trial, _SCOPE)
    grant = partial(_grant, trial, name)
    yield Step("ask for a secret", partial(_asked, name, trial.name), grant, (WHO,))
    for setting, reference in named(trial.settings).items():
        yield Step(f"the secret of {setting}", partial(_read, name, reference), grant, ("ask for a secret",))


def named(settings: Settings) -> Mapping[str, str]:
    """The settings that name a secret, and which."""
    webhook = settings.alert_webhook.get_secret_value() if settings.alert_webhook else ""
    found = {
        "NETFLIX_STORAGE_CREDENTIAL": settings.storage_credential,
        "NETFLIX_ALERT_WEBHOOK": webhook,
        telemetry.CONNECTION: os.environ.get(telemetry.CONNECTION, ""),
    }
    return {name: value for name, value in found.items() if vault.is_reference(value)}


def _asked(name: str, missing: str) -> str:
    """A secret of this name does not exist. To hear that, one must be let in."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        vault.Vault(name).resolve(f"{vault.PREFIX}{missing}")
    except vault.SecretError as error:
        if not isinstance(error.__cause__, ResourceNotFoundError):
            raise
    return f"the vault {name} answers, and says that there is no {missing}"


def _read(name: str, reference: str) -> str:
    return f"{reference} is there, {len(vault.Vault(name).resolve(reference))} characters"


def _grant(trial: Trial, name: str) -> Grant:
    return Grant(
        f"Key Vault Secrets User on the vault {name}",
        f"az role assignment create --assignee-object-id {trial.who} --assignee-principal-type ServicePrincipal"
        f" --role 'Key Vault Secrets User' --scope \"$(az keyvault show --name {name} --query id --output tsv)\""
        f"    # if its firewall refuses: az keyvault network-rule add --name {name} --ip-address <this host>",
    )


TARGET = Target("vault", "the Key Vault that holds secrets", cost, lacks, steps)
