"""What systems are told of ``access.yaml`` by files and scripts.

    python -m infra.access bundle            write the grants into the Databricks bundle
    python -m infra.access sql CATALOG       print the grants on single tables, to run when the tables exist
    python -m infra.access synapse           write the scripts of Synapse, its roles and grants among them
    python -m infra.access powerbi           print who has which role in the workspace of Power BI

``infra/azure`` makes role assignments and the grants on catalogs. ``netflix-dagster verify access`` compares.
"""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from netflix_dagster.azure.rights import Access, grants, load, workspace_roles

if TYPE_CHECKING:
    from netflix_dagster.serving.synapse.serverless import Reader

HERE = Path(__file__).parent
BUNDLE = HERE / "databricks"
SYNAPSE = HERE / "synapse" / "serverless"


def table_grants(access: Access, catalog: str) -> list[str]:
    """The grants on single tables as SQL: a table must exist before it can be granted."""
    groups = access.groups()
    return [
        f"GRANT {', '.join(grant.privileges)} ON TABLE `{catalog}`.{grant.name} TO `{groups[grant.principal]}`"
        for grant in grants(access)
        if grant.kind == "table"
    ]


# Synapse


def readers(access: Access) -> list[Reader]:
    """The roles of people that read gold, all of it or single tables, as Synapse is told of them."""
    from netflix_dagster.serving.synapse.serverless import Reader

    found = []
    for name, role in access.roles.items():
        groups = tuple(said.group for said in access.principals.values() if said.role == name and said.group)
        tables = tuple(table for table in role.tables if table.startswith("gold."))
        if groups and (tables or "gold" in role.layers):
            found.append(Reader(name, groups, None if "gold" in role.layers else tables))
    return found


def synapse_files(access: Access, folder: Path = SYNAPSE) -> dict[Path, str]:
    """The scripts of Synapse."""
    from netflix_dagster.serving.synapse import scripts

    return {folder / name: text for name, text in scripts.written(readers(access)).items()}


# The bundle


def in_bundle(principal: str) -> str:
    """How the bundle names a principal: each is a variable, whose default is the group."""
    return "${var.service_principal}" if principal == "databricks" else f"${{var.{principal}}}"


def bundle_files(access: Access, folder: Path = BUNDLE) -> dict[Path, str]:
    """The files of the bundle that hold grants, with the grants of the file; all else is as it stands there."""
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for grant in grants(access):
        if grant.kind in ("schema", "volume"):
            entry = {"principal": in_bundle(grant.principal), "privileges": list(grant.privileges)}
            said.setdefault((f"{grant.kind}s", grant.name), []).append(entry)
    files = {}
    for path in (folder / "resources" / "schemas.yml", folder / "resources" / "volumes.yml"):
        text = path.read_text()
        about = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        content = yaml.safe_load(text)
        for kind, resources in content["resources"].items():
            for name, resource in resources.items():
                resource["grants"] = said.get((kind, name), [])
        files[path] = about + yaml.dump(content, Dumper=_Plain, sort_keys=False, width=120, default_flow_style=None)
    return files


class _Plain(yaml.SafeDumper):
    """Writes what is said twice twice: anchors help nobody who reads grants."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@lru_cache(maxsize=1)
def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m infra.access", description="Tell the systems of infra/access.yaml.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("bundle", help="write the grants into the Databricks bundle")
    commands.add_parser("synapse", help="write the scripts of Synapse")
    commands.add_parser("powerbi", help="print the roles of Power BI")
    commands.add_parser("sql", help="print the grants on single tables").add_argument("catalog")
    return parser


def main() -> None:
    said = _arguments().parse_args()
    made = {"bundle": bundle_files, "synapse": synapse_files}.get(said.command)
    if made:
        for path, text in made(load()).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    elif said.command == "powerbi":
        access = load()
        for name, role in workspace_roles(access).items():
            sys.stdout.write(f"{role}: {access.groups().get(name) or f'the identity of {name}'}\n")
    else:
        sys.stdout.write("".join(f"{statement};\n" for statement in table_grants(load(), said.catalog)))


if __name__ == "__main__":
    main()
