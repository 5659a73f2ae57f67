"""Secrets do not travel with errors."""

from __future__ import annotations

import secrets

import pytest

from netflix_dagster.azure import redaction
from netflix_dagster.azure.access import guarded
from netflix_dagster.azure.redaction import HIDDEN, RedactedError, hide, redact
from netflix_dagster_tests.azure.test_access import account_sas
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.emulators.entra import Entra

SIGNED = "https://a.blob.core.windows.net/c/f?sv=2024-11-04&se=2030-01-01&sig=PLANTED%2Babc%3D&sp=r"


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (
            f"GET {SIGNED} failed",
            "GET https://a.blob.core.windows.net/c/f?sv=2024-11-04&se=2030-01-01&sig=[hidden]&sp=r",
        ),
        (
            "AccountName=a;AccountKey=PLANTED+/x==;EndpointSuffix=s",
            "AccountName=a;AccountKey=[hidden];EndpointSuffix=s",
        ),
        ("Endpoint=sb://x/;SharedAccessKey=PLANTED=", "Endpoint=sb://x/;SharedAccessKey=[hidden]"),
        ("grant_type=x&client_secret=PLANTED~1.2&scope=y", "grant_type=x&client_secret=[hidden]&scope=y"),
        ("{'Authorization': 'Bearer PLANTED.a.b'}", "{'Authorization': 'Bearer [hidden]'}"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(text: str, stays: str) -> None:
    assert stays in redact(text)
    assert "PLANTED" not in redact(text)


def test_a_token_is_hidden_wherever_it_stands() -> None:
    token, _ = Entra().token("https://storage.azure.com", "managed")
    assert redact(f"got {token!r}.") == f"got '{HIDDEN}'."


@pytest.mark.parametrize(
    "text", ["signature=1", "design=a", "no secret here", "Bearer", "sig= is missing", "the key is in secret://key"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_value_from_the_vault_is_hidden_also_as_a_part_of_a_url() -> None:
    value = f"{secrets.token_hex(8)}/+={secrets.token_hex(8)}"
    hide(value)
    assert redact(f"no {value}, no {value.replace('/', '%2F').replace('+', '%2B').replace('=', '%3D')}") == (
        f"no {HIDDEN}, no {HIDDEN}"
    )


def test_an_error_without_secrets_leaves_as_it_is() -> None:
    error = KeyError("as it was")
    with pytest.raises(KeyError) as left, guarded():
        raise error
    assert left.value is error


def test_an_error_leaves_without_its_secrets_and_without_those_behind_it() -> None:
    with pytest.raises(RedactedError, match=r"^ValueError: nothing was read$") as left, guarded():
        try:
            raise OSError(SIGNED)
        except OSError as error:
            raise ValueError("nothing was read") from error
    assert left.value.__cause__ is None and left.value.__suppress_context__


def test_what_a_client_says_of_a_signed_address_is_redacted(inside: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real refusal, told by a client that repeats the address that was asked for."""
    import requests

    monkeypatch.setattr(redaction, "_values", set())  # another test may have had the same signature from the vault

    signed = f"{inside.storage.blob_url}/bronze/f?{account_sas(hours=-1)}"
    signature = signed.split("sig=")[1].split("&")[0]
    with pytest.raises(requests.HTTPError) as raw:
        requests.get(signed).raise_for_status()
    assert signature in str(raw.value), "else this test shows nothing"
    with pytest.raises(RedactedError, match="HTTPError: 403") as left, guarded():
        requests.get(signed).raise_for_status()
    assert signature not in str(left.value) and f"sig={HIDDEN}" in str(left.value)
