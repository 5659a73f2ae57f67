"""``verify unity``: what Unity Catalog lets this identity do, right by right, and a file by way of a volume.

The rights are those that ``infra/access.yaml`` gives the identity that builds the tables on Databricks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.databricks.jobs import DatabricksSettings, workspace
from netflix_dagster.settings import Settings
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.steps import Grant, Lacking, Step, Target, Trial

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_BUILD = ("USE_SCHEMA", "CREATE_TABLE", "SELECT", "MODIFY")
_LOCATION = ("CREATE_EXTERNAL_TABLE", "CREATE_EXTERNAL_VOLUME", "READ_FILES", "WRITE_FILES")
RIGHTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("catalog", ""): ("USE_CATALOG", "CREATE_SCHEMA"),
    **{("schema", layer): _BUILD for layer in ("bronze", "silver", "gold", "quality")},
    ("schema", "landing"): ("USE_SCHEMA",),
    ("volume", "landing.deliveries"): ("READ_VOLUME",),
    ("volume", "landing.checkpoints"): ("READ_VOLUME", "WRITE_VOLUME"),
    **{
        ("external_location", zone): _LOCATION
        for zone in ("landing", "bronze", "silver", "gold", "quarantine", "checkpoints")
    },
}
"""What who builds needs: by the kind of a thing and its name in the catalog, of a location its container."""
MANAGED = ("delta.feature.catalogManaged", "delta.feature.catalogOwned-preview", "delta.feature.catalogOwned")
"""Properties of tables whose commits only the catalog takes: nobody else can write them by path."""


def lacks(_: Settings) -> str | None:
    settings = DatabricksSettings()
    if not settings.catalog:
        return "no catalog: set NETFLIX_DATABRICKS_CATALOG to its name"
    try:
        workspace(settings)
    except ValueError as error:
        return f"no workspace: set DATABRICKS_HOST and sign in ({str(error).splitlines()[0]})"
    return None


def cost(_: Settings) -> str:
    return "nothing but requests to the catalog, and a file of some bytes in the volume landing.checkpoints"


def steps(trial: Trial) -> Iterator[Step]:
    settings = DatabricksSettings()
    there = _Catalog(trial, workspace(settings), str(settings.catalog))
    yield Step(WHO, there.who, lambda: Grant("access to the workspace", "databricks auth login"))
    names = []
    for (kind, name), privileges in RIGHTS.items():
        for privilege in privileges:
            step = f"{privilege} on {kind} {name or there.catalog}"
            names.append(step)
            yield Step(step, partial(there.may, kind, name, privilege), there.owner, (WHO,))
    volume = [f"{right} on volume landing.checkpoints" for right in ("READ_VOLUME", "WRITE_VOLUME")]
    yield Step(
        "a file in landing.checkpoints",
        there.filed,
        partial(there.grant, "volume", "landing.checkpoints", "WRITE_VOLUME"),
        volume,
    )
    yield Step(
        "tables are external, and in the lake",
        there.external,
        there.owner,
        (f"USE_CATALOG on catalog {there.catalog}",),
    )


@dataclass(slots=True)
class _Catalog:
    """The catalog as one identity sees it."""

    trial: Trial
    client: WorkspaceClient
    catalog: str
    name: str = "`<you>`"
    known_as: list[str] = field(default_factory=list)
    """Its own name, and those of its groups: a right of one of them is a right of its."""
    _found: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _locations: dict[str, str] = field(default_factory=dict)

    def who(self) -> str:
        found = self.client.current_user.me()
        self.name = found.user_name or self.name
        groups = [group.display for group in found.groups or [] if group.display]
        self.known_as = [self.name, *groups, "account users"]
        return f"{self.name}, in {len(groups)} groups, in the metastore {self.client.metastores.current().metastore_id}"

    def may(self, kind: str, name: str, privilege: str) -> str:
        held = self._held(kind, name)
        if privilege not in held and "ALL_PRIVILEGES" not in held:
            raise Lacking(
                f"{self.name} has {', '.join(sorted(held)) or 'no right'} there", self.grant(kind, name, privilege)
            )
        return "granted, or inherited"

    def grant(self, kind: str, name: str, privilege: str) -> Grant:
        full = self._locations.get(name, name) if kind == "external_location" else self._full(name)
        words, what = privilege.replace("_", " "), kind.replace("_", " ")
        named = ".".join(f"`{part}`" for part in full.split("."))
        return Grant(f"{words} on the {what} {full}", f"GRANT {words} ON {what.upper()} {named} TO `{self.name}`")

    def owner(self) -> Grant:
        catalog = f"`{self.catalog}`"
        return Grant(
            f"to see the catalog {self.catalog}", f"GRANT BROWSE, USE CATALOG ON CATALOG {catalog} TO `{self.name}`"
        )

    def filed(self) -> str:
        file = f"/Volumes/{self.catalog}/landing/checkpoints/{self.trial.name}"
        self.trial.leaves(file, partial(self._remove, file))
        self.client.files.upload(file, BytesIO(b"by way of the catalog"), overwrite=True)
        found = self.client.files.download(file).contents
        if found is None or found.read() != b"by way of the catalog":
            raise RuntimeError(f"{file} was written and is read as something else")
        return "written, and read again: the access connector opens the container"

    def external(self) -> str:
        tables = [
            table
            for layer in ("bronze", "silver", "gold", "quality")
            for table in self.client.tables.list(self.catalog, layer)
        ]
        for table in tables:
            managed = {name for name, value in (table.properties or {}).items() if value == "supported"} & set(MANAGED)
            if managed or (table.table_type and table.table_type.value != "EXTERNAL"):
                raise Lacking(
                    f"{table.full_name} is {', '.join(managed) or 'a managed table'}: it is not the lake's, and what is"
                    " built outside of Databricks cannot write it",
                    Grant(
                        "an external table in its place",
                        f"DROP TABLE {table.full_name}; netflix-dagster-register-tables",
                    ),
                )
            layer = str(table.schema_name)
            if table.storage_location and not table.storage_location.startswith(str(self.trial.settings.lake / layer)):
                raise RuntimeError(
                    f"{table.full_name} lies in {table.storage_location}, not in {self.trial.settings.lake}"
                )
        return f"{len(tables)} tables of the lake are shown"

    def _remove(self, file: str) -> None:
        from databricks.sdk.errors import NotFound

        try:
            self.client.files.delete(file)
        except NotFound:
            return

    def _held(self, kind: str, name: str) -> set[str]:
        """The privileges on a thing that this identity has itself, through its groups, or by inheritance."""
        if (kind, name) not in self._found:
            full = self._location(name) if kind == "external_location" else self._full(name)
            self._found[kind, name] = {right for who in self.known_as for right in self._of(kind, full, who)}
        return self._found[kind, name]

    def _of(self, kind: str, full: str, who: str) -> Iterator[str]:
        from databricks.sdk.errors import NotFound, PermissionDenied

        try:
            said = self.client.grants.get_effective(kind, full, principal=who)
        except (NotFound, PermissionDenied):
            if who == self.name:
                raise
            return  # a group of the workspace only, which the catalog does not know
        for assignment in said.privilege_assignments or []:
            yield from _named(assignment.privileges or [])

    def _location(self, zone: str) -> str:
        """The external location over a container of the lake, whatever it is called."""
        place = places(self.trial.settings)[zone]
        found = [location for location in self.client.external_locations.list() if holds(location.url, place)]
        if not found:
            raise Lacking(
                f"no external location that {self.name} may see holds {place}",
                Grant(
                    f"an external location over the container {zone}",
                    f"CREATE EXTERNAL LOCATION `{zone}` URL '{place}' WITH (STORAGE CREDENTIAL ...);"
                    f" GRANT {', '.join(_LOCATION).replace('_', ' ')} ON EXTERNAL LOCATION `{zone}` TO `{self.name}`",
                ),
            )
        self._locations[zone] = str(found[0].name)
        return self._locations[zone]

    def _full(self, name: str) -> str:
        return f"{self.catalog}.{name}" if name else self.catalog


def places(settings: Settings) -> dict[str, storage.Place]:
    """Where each zone that Unity Catalog knows as an external location is opened."""
    rooms = {"quarantine": "quality", "checkpoints": "_staging"}
    zones = ("bronze", "silver", "gold", "quarantine", "checkpoints")
    return {"landing": settings.landing, **{zone: settings.lake / rooms.get(zone, zone) for zone in zones}}


def holds(url: str | None, place: storage.Place) -> bool:
    """Whether an external location at a URL holds a place."""
    return bool(url) and f"{place}/".startswith(f"{str(url).rstrip('/')}/")


def _named(privileges: Sequence[Any]) -> Iterator[str]:
    for one in privileges:
        if one.privilege is not None:
            yield one.privilege.value


TARGET = Target("unity", "the rights of Unity Catalog", cost, lacks, steps)
