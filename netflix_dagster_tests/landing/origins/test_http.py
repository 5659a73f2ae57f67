"""HTTP origins: a changed file is one delivery, an unchanged one is none, and a hostile server lands nothing."""

from __future__ import annotations

import gzip
import io
import logging
import re
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import stamina

from netflix_dagster import storage
from netflix_dagster.landing.origins import hosts
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.http import Download, Limits
from netflix_dagster_tests.landing.origins.conftest import House
from netflix_dagster_tests.landing.origins.killing import kill_at_random
from netflix_dagster_tests.landing.origins.server import Asked, Server

ONE = b"cast,show_id\nUma Thurman,1\n"
TWO = b"cast,show_id\nUma Thurman,1\nLucy Liu,2\n"
LONG = b"cast,show_id\n" + b"Uma Thurman,1\n" * 40_000
MONDAY, TUESDAY = "Mon, 06 May 2024 10:00:00 GMT", "Tue, 07 May 2024 10:00:00 GMT"
CAST = "/netflix_cast.csv"
pytestmark = pytest.mark.usefixtures("at_once")


def refused(house: House, match: str, *origins: dict[str, object]) -> str:
    """The fetch says why, and landing is as it was: nothing half-written lies about under any name."""
    before = house.deliveries
    with pytest.raises(FetchError, match=match) as caught:
        house.fetch(*origins)
    assert house.deliveries == before
    return str(caught.value)


def test_a_changed_file_is_one_delivery_of_the_day_that_the_server_states_and_an_unchanged_one_is_none(
    server: Server, house: House
) -> None:
    origin = {"url": server.url(CAST)}
    server.file(CAST, ONE, ETag='"1"', Last_Modified=MONDAY)
    (first,) = house.fetch(origin)
    assert (first.outcome, first.date, first.etag, first.bytes) == ("delivered", "2024-05-06", '"1"', len(ONE))
    assert [one.outcome for one in house.fetch(origin)] == ["unchanged"]
    assert server.asked[-1].headers["If-None-Match"] == '"1"'
    server.file(CAST, ONE, ETag='"other, for the same bytes"', Last_Modified=TUESDAY)
    assert [one.outcome for one in house.fetch(origin)] == ["unchanged"]
    server.file(CAST, TWO, ETag='"2"', Last_Modified=TUESDAY)
    assert [one.date for one in house.fetch(origin)] == ["2024-05-07"]
    assert [one.outcome for one in house.fetch(origin)] == ["unchanged"]
    assert house.deliveries == {"2024-05-06": ONE, "2024-05-07": TWO}


def test_without_a_date_from_the_server_a_delivery_is_of_today_and_a_stated_date_counts(
    server: Server, house: House
) -> None:
    server.file(CAST, ONE)
    (now,) = house.fetch({"url": server.url(CAST)})
    assert now.date == time.strftime("%Y-%m-%d", time.gmtime())
    server.file("/other/netflix_cast.csv", TWO, Last_Modified=MONDAY)
    (stated,) = house.fetch({"url": server.url("/other/netflix_cast.csv"), "date": "2020-02-01"})
    assert stated.date == "2020-02-01"


@pytest.mark.parametrize("killed", ["put", "record", "first record"])
def test_a_kill_at_any_moment_ends_in_one_delivery(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """Also over midnight: the date was decided before the file landed."""
    server.file(CAST, ONE, ETag='"1"')
    origin = {"url": server.url(CAST)}
    put, write, writes = storage.put, storage.write, []

    def dying_put(place: storage.Place, file: Path) -> None:
        put(place, file)
        if killed == "put":
            raise KeyboardInterrupt

    def dying_write(place: storage.Place, data: bytes) -> None:
        writes.append(place)
        if (killed, len(writes)) in (("record", 2), ("first record", 1)):
            raise KeyboardInterrupt
        write(place, data)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "put", dying_put)
        patched.setattr(storage, "write", dying_write)
        with pytest.raises(KeyboardInterrupt):
            house.fetch(origin)
    if killed != "first record":
        with monkeypatch.context() as patched:
            patched.setattr("netflix_dagster.landing.origins.fetching.Fetch._date", lambda *_: "2030-01-01")
            house.fetch(origin)
    house.fetch(origin)
    assert list(house.deliveries.values()) == [ONE]
    assert [one.outcome for one in house.fetch(origin)] == ["unchanged"]


def test_state_that_is_lost_or_damaged_costs_a_download_and_no_delivery(server: Server, house: House) -> None:
    server.file(CAST, ONE, ETag='"1"', Last_Modified=MONDAY)
    house.fetch({"url": server.url(CAST)})
    (landed,) = house.landing.glob("netflix_cast/*/*")
    before = landed.stat().st_mtime_ns
    state = house.landing / "_origins" / "netflix_cast.json"
    for damage in ("", "{", '{"x": 1}'):
        state.write_text(damage)
        house.fetch({"url": server.url(CAST)})
        assert landed.stat().st_mtime_ns == before
        assert len(house.deliveries) == 1


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(server: Server, house: House) -> None:
    def cutting(asked: Asked) -> None:
        begin = int(asked.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        end = min(begin + 250_000, len(LONG))
        kind = {"ETag": '"long"', "Content_Type": "text/csv"}
        if begin:
            kind["Content_Range"] = f"bytes {begin}-{len(LONG) - 1}/{len(LONG)}"
        asked.answer(LONG[begin:end], 206 if begin else 200, length=len(LONG) - begin, **kind)

    server.answers[CAST] = cutting
    house.fetch({"url": server.url(CAST)})
    assert list(house.deliveries.values()) == [LONG]
    begins = [int(a.headers["Range"][6:-1]) for a in server.asked[1:]]
    assert len(server.asked) == 3 and all(a.headers["If-Range"] == '"long"' for a in server.asked[1:])
    assert 0 < begins[0] <= 250_000 < begins[1] <= 500_000


def test_it_goes_on_in_a_later_process_too(server: Server, house: House) -> None:
    half = len(LONG) // 2
    server.answers[CAST] = lambda asked: asked.answer(LONG[:half], length=len(LONG), ETag='"long"')
    refused(house, "of .* bytes came|before the file was whole", {"url": server.url(CAST)})
    server.file(CAST, LONG, ETag='"long"')
    house.fetch({"url": server.url(CAST)})
    assert 0 < int(server.asked[-1].headers["Range"][6:-1]) <= half
    assert list(house.deliveries.values()) == [LONG]


@pytest.mark.parametrize("honest", [True, False], ids=["answers 200", "goes on with another file"])
def test_a_file_that_changes_while_it_is_downloaded_is_had_anew(server: Server, house: House, honest: bool) -> None:
    other = LONG.replace(b"Uma", b"Umu")

    def changing(asked: Asked) -> None:
        if asked.number == 1:
            asked.answer(LONG[:100_000], length=len(LONG), ETag='"a"')
        elif asked.number == 2 and not honest:
            begin = int(asked.headers["Range"][6:-1])
            said = f"bytes {begin}-{len(other) - 1}/{len(other)}"
            asked.answer(other[begin:], 206, ETag='"b"', Content_Range=said)
        else:
            asked.answer(other, ETag='"b"')

    server.answers[CAST] = changing
    house.fetch({"url": server.url(CAST)})
    assert list(house.deliveries.values()) == [other]


def test_a_file_that_never_stays_the_same_is_refused(server: Server, house: House) -> None:
    server.answers[CAST] = lambda asked: asked.answer(LONG[:1000], length=len(LONG), ETag=f'"{asked.number}"')
    refused(house, "cannot be had", {"url": server.url(CAST)})
    assert len(server.asked) == 3


def test_busy_servers_are_asked_again_and_others_are_not(server: Server, house: House) -> None:
    def busy(asked: Asked) -> None:
        asked.answer(b"", 503) if asked.number < 3 else asked.answer(ONE)

    server.answers[CAST] = busy
    house.fetch({"url": server.url(CAST)})
    assert len(server.asked) == 3
    refused(house, "answers 404", {"url": server.url("/none.csv")})
    assert len(server.asked) == 4


def test_a_server_is_left_alone_for_as_long_as_it_asks(
    server: Server, house: House, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    times: list[float] = []

    def busy(asked: Asked) -> None:
        times.append(time.monotonic())
        if asked.number < 3:
            asked.answer(b"", 429, Retry_After=("1", soon)[asked.number - 1])
        else:
            asked.answer(ONE)

    server.answers[CAST] = busy
    with stamina.set_testing(False):
        house.fetch({"url": server.url(CAST)})
    assert times[1] - times[0] >= 1 and len(times) == 3
    assert caplog.messages[0].endswith("to be left alone for 1 seconds; attempt 2 of 6 in 1.0 s")
    assert capfd.readouterr().out == "", "stdout is for --json"


def endless(asked: Asked) -> None:
    asked.head(200, {"Content-Type": "text/csv", "Connection": "close"})
    while True:
        asked.send(b"Uma Thurman,1\n" * 5_000)


def trickling(asked: Asked) -> None:
    asked.head(200, {"Content-Type": "text/csv", "Content-Length": "1000000"})
    for _ in range(100):
        asked.send(b"Uma Thurman,1\n")
        time.sleep(0.05)


def bomb(asked: Asked) -> None:
    packed = gzip.compress(b"0" * 40_000_000)
    asked.answer(packed, Content_Encoding="gzip", Content_Type="text/csv")


def redirecting(to: Callable[[Asked], str]) -> Callable[[Asked], None]:
    return lambda asked: asked.answer(b"", 302, Location=to(asked))


def a_zip(name: str, body: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return packed.getvalue()


HOSTILE: dict[str, tuple[Callable[[Asked], None], dict[str, object], str]] = {
    "endless": (endless, {"max_mb": 1}, "sends more than 1,048,576 bytes"),
    "states too much": (lambda a: a.answer(ONE, length=10**12), {"max_mb": 1}, "states 1,000,000,000,000 bytes"),
    "slow": (trickling, {"max_seconds": 1}, "within 1 seconds"),
    "lies about its length": (lambda a: a.answer(ONE, length=1000), {}, "before the file was whole|bytes came"),
    "a page": (lambda a: a.answer(b"<html>sign in", Content_Type="text/html"), {}, "text/html"),
    "a page as csv": (lambda a: a.answer(b"<!doctype html><title>Moved</title>"), {}, "csv file was expected.*HTML"),
    "null": (lambda a: a.answer(b"null"), {}, "csv file was expected.*null"),
    "an error as JSON": (lambda a: a.answer(b'{"error": "quota"}'), {}, "csv file was expected.*JSON"),
    "nothing": (lambda a: a.answer(b""), {}, "it is empty"),
    "an archive": (lambda a: a.answer(a_zip("netflix_cast.csv", ONE)), {}, "zip archive"),
    "another type": (lambda a: a.answer(ONE, Content_Type="text/a"), {"types": ["text/csv"]}, "text/csv was expected"),
    "gzip bomb": (bomb, {"max_mb": 1}, "sends more than"),
    "unknown packing": (lambda a: a.answer(ONE, Content_Encoding="br"), {}, "not asked for"),
    "not the packing that it says": (lambda a: a.answer(ONE, Content_Encoding="gzip"), {}, "is not gzip"),
    "circular": (redirecting(lambda a: a.path), {}, "in a circle"),
    "redirects for ever": (redirecting(lambda a: f"/netflix_cast.csv?{a.number}"), {}, "more than 5 times"),
    "to nowhere": (redirecting(lambda a: "http://[::1"), {}, "no address"),
    "to a port that there is not": (redirecting(lambda a: "http://a:99999/"), {}, "no address"),
    "to a file": (redirecting(lambda a: "file:///etc/passwd"), {}, "no page of the web"),
    "to a private address": (redirecting(lambda a: "http://169.254.169.254/latest"), {}, "169.254.169.254.*private"),
    "to a private name": (redirecting(lambda a: "http://localhost:1/x"), {}, "private network"),
    "another checksum": (lambda a: a.answer(ONE), {"checksum": "sha256:" + "0" * 64}, "checksum should be"),
    "forbidden": (lambda a: a.answer(b"", 403), {}, "answers 403"),
    "busy for ever": (lambda a: a.answer(b"", 429, Retry_After="7200"), {}, "left alone for 7200 seconds"),
    "goes on elsewhere": (
        lambda a: a.answer(ONE, 206, Content_Range="bytes 5-9/100"),
        {},
        "goes on at another place",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_lands_nothing_and_the_next_day_works(server: Server, house: House, name: str) -> None:
    answer, more, match = HOSTILE[name]
    server.answers[CAST] = answer
    refused(house, f"(?s){match}", {"url": server.url(CAST), **more})
    if "checksum" not in more:
        server.file(CAST, ONE, kind="text/csv")
        house.fetch({"url": server.url(CAST), **more})
        assert list(house.deliveries.values()) == [ONE]


def test_what_stands_is_not_touched_by_what_comes_after_it(server: Server, house: House) -> None:
    server.file(CAST, ONE, ETag='"1"', Last_Modified=MONDAY)
    house.fetch({"url": server.url(CAST)})
    server.file(CAST, b"<html>moved", kind="text/plain", ETag='"2"', Last_Modified=TUESDAY)
    assert "the last one came as text/csv" in refused(house, "HTML", {"url": server.url(CAST)})
    server.file(CAST, TWO, ETag='"3"', Last_Modified=TUESDAY)
    house.fetch({"url": server.url(CAST)})
    assert house.deliveries == {"2024-05-06": ONE, "2024-05-07": TWO}


def test_a_private_address_is_not_asked_unless_that_is_said(server: Server, house: House) -> None:
    server.file(CAST, ONE)
    refused(house, "127.0.0.1.*private network", {"url": server.url(CAST), "private": False})
    named = f"http://localhost:{server.port}{CAST}"
    refused(house, r"private network.*`private: true`", {"url": named, "private": False})
    assert server.asked == []


def test_addresses_in_every_disguise_are_private(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (ip, 0)) for ip in told])
    for ip in ("10.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "100.64.0.1", "fe80::1%eth0", "0.0.0.0",
               "2002:7f00:1::", "224.0.0.1", "fd00::1"):  # fmt: skip
        told[:] = ["93.184.215.14", ip]
        with pytest.raises(hosts.PrivateAddressError):
            hosts.public_addresses("innocent.example", 443)
    told[:] = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]
    assert hosts.public_addresses("innocent.example", 443) == told


def test_from_https_to_http_nothing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://plain.example/x.csv"})

    monkeypatch.setattr("netflix_dagster.landing.origins.http.guarded_transport", lambda _: httpx.MockTransport(answer))
    with pytest.raises(FetchError, match=r"from https to http, to plain\.example"):
        Download("https://safe.example/x.csv", tmp_path / "x", Limits(1000, 10)).run()


SECRET = "s3cr3t-Value-0815"


def test_a_token_goes_to_its_own_host_only_and_stands_in_nothing_that_is_said_or_written(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens in a header, in a parameter, and in the signed URL that a server redirects to."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    monkeypatch.setenv("CAST_TOKEN", SECRET)
    signed = f"http://localhost:{server.port}/signed.csv?sig={SECRET}&X-Goog-Signature={SECRET}"
    server.answers[CAST] = redirecting(lambda _: signed)
    origin = {
        "url": server.url(CAST),
        "token": "env://CAST_TOKEN",
        "query": {"key": "env://CAST_TOKEN"},
    }
    said = [refused(house, "private", origin)]
    first = server.asked[0]
    assert first.headers["Authorization"] == f"Bearer {SECRET}" and f"key={SECRET}" in first.path

    # A host of its own, also in the private network, for this once.
    monkeypatch.setattr(hosts, "_is_public", lambda _: True)
    for status in (200, 403, 503):
        server.answers["/signed.csv"] = lambda asked, status=status: asked.answer(LONG[:status], status)
        if status == 200:
            (one,) = house.fetch(origin)
            said.append(repr(one))
        else:
            (house.landing / "_origins" / "netflix_cast.json").unlink(missing_ok=True)
            said.append(refused(house, f"answers {status}", origin))
    elsewhere = [asked for asked in server.asked if asked.path.startswith("/signed.csv")]
    assert elsewhere and all("Authorization" not in asked.headers for asked in elsewhere)
    written = [file.read_text("utf-8", "replace") for file in house.landing.rglob("*") if file.is_file()]
    assert not re.search(SECRET, "\n".join([*said, caplog.text, *written]))


def test_one_file_is_taken_out_of_a_zip_and_bombs_are_not(server: Server, house: House) -> None:
    origin = {"url": server.url("/cast.zip"), "member": "data/netflix_cast.csv", "max_mb": 1}
    server.file("/cast.zip", a_zip("data/netflix_cast.csv", ONE), kind="application/zip", Last_Modified=MONDAY)
    house.fetch(origin)
    assert house.deliveries == {"2024-05-06": ONE}
    for packed, match in (
        (a_zip("../../etc/netflix_cast.csv", ONE), "0 times; in it are: ../../etc"),
        (a_zip("data/netflix_cast.csv", b"0" * 5_000_000), "that is too much"),
        (b"PK\x03\x04" + b"broken" * 20, "is damaged"),
    ):
        server.file("/cast.zip", packed, kind="application/zip", Last_Modified=TUESDAY)
        refused(house, match, origin)


def test_a_data_set_of_kaggle_is_asked_for_with_its_key_and_may_come_as_a_zip(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its API is documented: the file of a version, by basic authentication, behind a redirect to a storage."""
    monkeypatch.setattr("netflix_dagster.landing.origins.fetching._KAGGLE", server.url("/api"))
    monkeypatch.setenv("KAGGLE", "somebody:0815-0815")
    server.answers["/api/owner/set/netflix_cast.csv"] = redirecting(lambda _: "/stored?X-Goog-Signature=abc")
    server.file("/stored", a_zip("netflix_cast.csv", ONE), kind="application/zip", Last_Modified=MONDAY)
    (one,) = house.fetch({"kaggle": "owner/set", "path": "netflix_cast.csv", "version": 3, "token": "env://KAGGLE"})
    assert (one.origin, one.date) == ("kaggle:owner/set/netflix_cast.csv@3", "2024-05-06")
    assert server.asked[0].headers["Authorization"] == "Basic c29tZWJvZHk6MDgxNS0wODE1"
    assert server.asked[0].path.endswith("?datasetVersionNumber=3")
    assert house.deliveries == {"2024-05-06": ONE}


def test_one_origin_that_cannot_be_had_does_not_stop_the_others(server: Server, house: House) -> None:
    server.file(CAST, ONE, Last_Modified=MONDAY)
    with pytest.raises(FetchError, match="answers 404"):
        house.fetch({"url": server.url("/none.csv")}, {"url": server.url(CAST)})
    assert house.deliveries == {"2024-05-06": ONE}


def test_another_storage_is_an_origin_too(house: House, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "netflix_cast.csv"
    file.parent.mkdir()
    file.write_bytes(ONE)
    origin = {"storage": str(file)}
    assert [one.outcome for one in (*house.fetch(origin), *house.fetch(origin))] == ["delivered", "unchanged"]
    file.write_bytes(TWO)
    house.fetch(origin)
    assert list(house.deliveries.values()) == [TWO]
    refused(house, "no such file", {"storage": str(file) + ".gone.csv"})


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.soak)])
def test_a_download_that_is_killed_at_any_moment_goes_on_and_is_one_delivery(
    server: Server, house: House, kills: int
) -> None:
    body = ONE + b"Uma Thurman,1\n" * 100_000
    server.file(CAST, body, ETag='"1"', Last_Modified=MONDAY)
    honest = server.answers[CAST]

    def slow(asked: Asked) -> None:
        send = asked.send

        def pieces(said: bytes) -> None:
            for begin in range(0, len(said), 100_000):
                send(said[begin : begin + 100_000])
                time.sleep(0.02)

        asked.send = pieces  # type: ignore[method-assign]
        honest(asked)

    def sees() -> None:
        assert list(house.deliveries.values()) in ([], [body])

    server.answers[CAST] = slow
    origin = {"url": server.url(CAST)}
    kill_at_random(house.source(origin), house.landing, kills, kills, sees)
    house.fetch(origin)
    assert house.deliveries == {"2024-05-06": body}
    assert [one.outcome for one in house.fetch(origin)] == ["unchanged"]
