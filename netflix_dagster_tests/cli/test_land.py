"""``netflix-dagster land``: what it says of the file, of what lies beside it, and of what it would hold back."""

from __future__ import annotations

import filecmp
import json
import random
import shlex
import time
from pathlib import Path

import pytest

from netflix_dagster.deliveries.life import Life
from netflix_dagster.landing.deliveries import delivery_at, land
from netflix_dagster_tests.cli.shell import COMMAND, Shell
from netflix_dagster_tests.lakehouse import as_csv, title
from netflix_dagster_tests.landing.origins.conftest import CAST
from netflix_dagster_tests.landing.origins.killing import CHILDREN

pytestmark = pytest.mark.usefixtures("unserved")
SOURCE, DAY, LATER = "netflix_catalogue", "2020-01-01", "2020-02-01"


def _call(hint: str) -> list[str]:
    """The arguments of a command as it was printed; what follows ``#`` is for people."""
    me, *arguments = shlex.split(hint.strip(), comments=True)
    assert COMMAND.endswith(me.split("/")[-1])
    return ["a reason" if argument == "WHY" else argument for argument in arguments]


def test_a_mended_file_takes_the_place_of_the_bad_one(shell: Shell) -> None:
    """The door speaks at once; a second file of a delivery is told of, and replaces the first when that is asked."""
    good = as_csv(map(title, range(4)))
    (shell.cwd / "bad.csv").write_text(good + "cut,short\r\n")
    (shell.cwd / "mended.csv").write_text(good)
    call = ["--source", SOURCE, "--date", DAY, "--landing", "here"]
    bad = shell.here("land", "bad.csv", *call)
    assert bad.code == 3 and bad.quiet and "refused     record 5" in bad.err, bad.err
    beside = shell.here("land", "mended.csv", *call)
    assert beside.code == 0 and "readable    4 records" in beside.err
    assert "beside it   bad.csv" in beside.err and "--replace" in beside.err
    taken = shell.here("land", "mended.csv", *call, "--replace")
    assert "removed     bad.csv" in taken.err
    folder = shell.cwd / "here" / SOURCE / DAY
    assert [path.name for path in folder.iterdir()] == ["mended.csv"]
    (hint,) = [line.removeprefix("next") for line in taken.err.splitlines() if line.startswith("next")]
    assert shell.here(*_call(hint), "--json").json["deliveries"]["built"] == 1, "the hint names the landing folder"


def test_a_release_that_would_hold_back_others_is_announced_and_there_is_a_way_back(shell: Shell) -> None:
    """The way back, and what to do about what is held, are whole commands: they are run as they are printed."""
    shell.land(SOURCE, LATER, as_csv(title(n, title=f"Other {n}", show_id=f"s{n}") for n in range(30)))
    assert shell.here("run").code == 0
    (shell.cwd / "mine.csv").write_text(as_csv(map(title, range(30))))
    said = shell.here("land", "mine.csv", "--source", SOURCE, "--date", DAY)
    assert "1 later date of its feed stand" in said.err
    (way_back,) = [line for line in said.err.splitlines() if "deliveries withdraw" in line]

    held = shell.here("run", "--json")
    assert held.code == 3 and [entry["date"] for entry in held.json["deliveries"]["held_back"]] == [LATER]
    accept, withdraw = held.json["remedies"]
    assert _call(withdraw)[:4] == _call(way_back)[:4] == ["deliveries", "withdraw", SOURCE, DAY]
    config = {"feed": "catalogue", "delivery_date": LATER, "because": "WHY"}
    assert f"job accept_delivery, {json.dumps({'ops': {'decide': {'config': config}}})}" in accept
    ill = shell.here("doctor")
    assert ill.code == 1 and accept.split("   #")[0] in ill.out and withdraw in ill.out

    withdrawn = shell.here(*_call(way_back), "--landing", "elsewhere")
    assert withdrawn.code == 0 and f"run --landing {shell.cwd / 'elsewhere'}" in withdrawn.err, "it names the folder"
    assert shell.here("run").code == 0 and Life.read(shell.lake).deliveries[SOURCE, LATER].newest.stands
    shell.here("land", "mine.csv", "--source", SOURCE, "--date", "2020-01-15")
    assert shell.here("run").code == 3
    assert shell.here(*_call(accept)).code == 0 and shell.here("run").code == 0


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_a_file_whose_landing_is_killed_is_there_whole_or_not_at_all(tmp_path: Path, kills: int) -> None:
    file, landing, chance = tmp_path / "cast.csv", tmp_path / "landing", random.Random(kills)
    file.write_bytes(b"cast,show_id\n" + b"Uma Thurman,1\n" * 2_000_000)
    seen, part = set(), False
    for _ in range(kills):
        child = CHILDREN.Process(target=land, args=(landing, file, CAST, "2024-05-06"))
        child.start()
        while not any(landing.rglob("*.part")) and child.is_alive():
            time.sleep(0.0005)
        child.join(chance.uniform(0, 0.02))
        child.kill()
        child.join()
        for left in landing.rglob("*.part"):
            part |= 0 < left.stat().st_size < file.stat().st_size
            left.unlink()
        found = delivery_at(landing, CAST, "2024-05-06")
        seen.add(tuple((one.name, Path(one.path).stat().st_size) for one in found.files) if found else ())
        (landing / "netflix_cast" / "2024-05-06" / file.name).unlink(missing_ok=True)
    assert part, "some were killed in the middle"
    assert seen <= {(), ((file.name, file.stat().st_size),)}
    land(landing, file, CAST, "2024-05-06")
    assert filecmp.cmp(landing / "netflix_cast" / "2024-05-06" / file.name, file, shallow=False)
