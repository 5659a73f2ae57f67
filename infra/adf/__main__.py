"""``python -m infra.adf``: write the files of the factory; ``--check`` only says which are not what they should be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.adf.factory import HERE, KINDS, files
from netflix_dagster.landing.sources import load_sources


def main() -> None:
    parser = argparse.ArgumentParser("python -m infra.adf", description="Write the data factory of sources.yaml.")
    parser.add_argument("--sources", type=Path, help="a sources.yaml of one's own")
    parser.add_argument("--to", type=Path, default=HERE, help="the folder of the factory")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is missing or outdated")
    said = parser.parse_args()
    wanted = {said.to / path: text for path, text in files(load_sources(said.sources)).items()}
    there = {path for kind in KINDS for path in (said.to / kind).rglob("*.json")}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    if said.check:
        differing = sorted([*stale, *(there - set(wanted))])
        sys.stderr.writelines(f"{path}: not as sources.yaml wants it; run python -m infra.adf\n" for path in differing)
        sys.exit(1 if differing else 0)
    for path in there - set(wanted):
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])


if __name__ == "__main__":
    main()
