"""Secrets by reference, from a vault that speaks Key Vault's protocol over TLS and asks for a token."""

import dagster as dg
import pytest

from netflix_dagster.azure import vault
from netflix_dagster.azure.vault import KEPT_SECONDS, SecretError, Vault
from netflix_dagster.defs.secrets import Vault as VaultResource
from netflix_dagster_tests.azure.conftest import connect_anew
from netflix_dagster_tests.emulators.cloud import Cloud

PLANTED = "planted-5f1a9c-value"


def test_a_reference_is_resolved_with_a_token_for_the_vault(inside: Cloud) -> None:
    inside.vault.put("tmdb-key", PLANTED)
    assert vault.resolve("secret://tmdb-key") == PLANTED
    assert inside.entra.issued["https://vault.azure.net"] == 1


def test_a_value_is_kept_and_a_rotated_one_taken_up_when_it_expires(inside: Cloud) -> None:
    now = [0.0]
    kept = Vault(inside.vault.name, clock=lambda: now[0])
    inside.vault.put("key", "the first value")
    assert [kept.resolve("secret://key") for _ in range(3)] == ["the first value"] * 3
    assert inside.vault.asked["key"] == 1
    inside.vault.put("key", "the second value")
    now[0] = KEPT_SECONDS - 1
    assert kept.resolve("secret://key") == "the first value"
    now[0] = KEPT_SECONDS
    assert kept.resolve("secret://key") == "the second value"


def test_a_version_stays_what_it_is(inside: Cloud) -> None:
    first = inside.vault.put("key", "the first value")
    inside.vault.put("key", "the second value")
    assert vault.resolve(f"secret://key/{first}") == "the first value"
    assert vault.resolve("secret://key") == "the second value"


def test_a_missing_secret_is_named(inside: Cloud) -> None:
    with pytest.raises(SecretError, match=r"secret://nosuch cannot be had: it is not in the Key Vault netflixvault"):
        vault.resolve("secret://nosuch")


def test_a_disabled_secret_is_named(inside: Cloud) -> None:
    inside.vault.put("key", PLANTED)
    inside.vault.versions["key"][0].enabled = False
    with pytest.raises(SecretError, match=r"secret://key .* it is disabled in the Key Vault netflixvault"):
        vault.resolve("secret://key")


def test_a_forbidden_secret_says_which_role_is_missing(inside: Cloud) -> None:
    inside.vault.put("key", PLANTED)
    inside.vault.forbidden.add("key")
    with pytest.raises(SecretError, match=r"secret://key .* forbids it: .* needs the role Key Vault Secrets User"):
        vault.resolve("secret://key")


def test_a_fault_is_not_kept(inside: Cloud) -> None:
    with pytest.raises(SecretError):
        vault.resolve("secret://key")
    inside.vault.put("key", PLANTED)
    assert vault.resolve("secret://key") == PLANTED


def test_nobody_gets_no_secret(inside: Cloud) -> None:
    inside.entra.refusing = True
    with pytest.raises(
        SecretError, match=r"secret://key cannot be had: https://netflixvault\S+ does not know who asks"
    ):
        vault.resolve("secret://key")


def test_a_vault_that_does_not_answer_is_named(inside: Cloud) -> None:
    with pytest.raises(SecretError, match=r"https://othervault\.vault\.azure\.net does not answer"):
        Vault("othervault").resolve("secret://key")


def test_without_a_vault_nothing_is_resolved(inside: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETFLIX_ENV", "local")
    monkeypatch.delenv("NETFLIX_VAULT")
    connect_anew()
    with pytest.raises(SecretError, match="set NETFLIX_VAULT"):
        vault.resolve("secret://key")


@pytest.mark.parametrize(
    "wrong", [PLANTED, "secret://", "secret://a_b", "secret://key/latest", f"secret://{PLANTED}/x"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(inside: Cloud, wrong: str) -> None:
    with pytest.raises(SecretError, match="write secret://name") as refused:
        vault.resolve(wrong)
    assert PLANTED not in str(refused.value)


def test_dagster_keeps_the_reference_and_never_the_value(inside: Cloud) -> None:
    inside.vault.put("tmdb-key", PLANTED)
    used = []

    @dg.asset
    def fetched(context: dg.AssetExecutionContext, vault: VaultResource) -> dg.MaterializeResult:
        key = vault.resolve("secret://tmdb-key")
        used.append(key.get_secret_value())
        context.log.info(f"logged by mistake: {key}")
        return dg.MaterializeResult(metadata={"shown by mistake": str(key)})

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([fetched], instance=instance, resources={"vault": VaultResource()})
        told = [str(record.event_log_entry) for record in instance.fetch_materializations(fetched.key, 9).records]
        said = [dg.serialize_value(entry) for entry in instance.all_logs(result.run_id)]
        config = dg.serialize_value(instance.get_run_by_id(result.run_id))
    assert used == [PLANTED]
    assert any("logged by mistake: ****" in line for line in said)
    assert told and not [line for line in (*told, *said, config) if PLANTED in line]
