"""``verify synapse``: every script, view and metric in a database of its own on the real serverless pool.

The database is dropped at the end; the one that people use is not opened.
"""

from __future__ import annotations

from collections.abc import Iterator

from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.lake import store
from netflix_dagster.serving.readers import GOLD
from netflix_dagster.serving.synapse import applying
from netflix_dagster.serving.synapse.tsql import quoted
from netflix_dagster.settings import Settings
from netflix_dagster.verify import identity
from netflix_dagster.verify.steps import Grant, Step, Target, Trial

SCOPE = "https://database.windows.net/.default"
ENTER, APPLY = "enter", "apply"


def lacks(settings: Settings) -> str | None:
    return None if settings.synapse else "no pool: set NETFLIX_SYNAPSE to NAME-ondemand.sql.azuresynapse.net"


def cost(_: Settings) -> str:
    return "it makes and drops a database, and reads every table of gold once for each metric: some gigabytes at most"


def steps(trial: Trial) -> Iterator[Step]:
    there = _Pool(trial)
    yield identity.step(trial, SCOPE)
    yield Step(ENTER, there.enter, there.administrator, (identity.WHO,))
    yield Step(APPLY, there.apply, there.administrator, (ENTER,))
    yield Step("nothing is left to do", there.again, None, (APPLY,))
    yield Step("rows of gold", there.rows, there.reader, (APPLY,))
    yield Step("metrics", there.metrics, there.reader, (APPLY,))
    yield Step("descriptions", there.descriptions, None, (APPLY,))


class _Pool:
    """The pool, and a database of this trial in it."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.name = trial, trial.name.replace("-", "_")
        self.settings = trial.settings.model_copy(update={"synapse_database": self.name})
        self.open = applying.of(self.settings)
        self.tables = [name for name in GOLD if store.exists(self.settings.lake, name)]

    def administrator(self) -> Grant:
        return Grant(
            "administrator of SQL in the Synapse workspace",
            "az synapse sql ad-admin create --workspace-name NAME --resource-group RG --display-name builder"
            f" --object-id {self.trial.who}",
        )

    def reader(self) -> Grant:
        return Grant(
            "Storage Blob Data Reader on the container gold, for the managed identity of the workspace",
            "az role assignment create --role 'Storage Blob Data Reader' --assignee-principal-type ServicePrincipal"
            " --assignee-object-id $(az synapse workspace show --name NAME --resource-group RG --query"
            " identity.principalId --output tsv) --scope CONTAINER_ID",
        )

    def enter(self) -> str:
        with self.open("master") as master:
            found = [name for name, _ in master.rows(applying.DATABASES)]
        return f"{len(found)} databases in {self.settings.synapse}"

    def apply(self) -> str:
        self.trial.leaves(f"database {self.name}", self.drop)
        return f"{len(applying.apply(self.settings).steps)} objects made in {self.name}"

    def drop(self) -> None:
        with self.open("master") as master:
            if self.name in dict(master.rows(applying.DATABASES)):
                master.run(f"DROP DATABASE {quoted(self.name)}")

    def again(self) -> str:
        left = applying.plan(self.settings)
        if left.steps:
            raise AssertionError(f"after apply there is still to {', '.join(map(str, left.steps[:5]))}")
        return f"the catalog has all {left.unchanged} objects as they should be"

    def rows(self) -> str:
        wrong, total = [], 0
        with self.open(self.name) as server:
            for table in self.tables:
                ((rows,),) = server.rows(f"SELECT COUNT_BIG(*) FROM {table}")
                total += rows
                if rows != (promised := store.row_count(self.settings.lake, table)):
                    wrong.append(f"{table} has {rows} rows of {promised}")
        if wrong:
            raise AssertionError("; ".join(wrong))
        return f"{total} rows of {len(self.tables)} tables, as their logs have them"

    def metrics(self) -> str:
        asked = [metric.name for metric in METRICS.values() if metric.fact in self.tables]
        with self.open(self.name) as server:
            answers = {name: server.rows(f"SELECT COUNT_BIG(*) FROM metrics.{name}")[0][0] for name in asked}
        return f"{len(answers)} metrics answer, {sum(answers.values())} figures"

    def descriptions(self) -> str:
        with self.open(self.name) as server:
            ((columns,),) = server.rows("SELECT COUNT_BIG(*) FROM information.columns")
        return f"{columns} columns are described"


TARGET = Target("synapse", "Synapse's serverless pool", cost, lacks, steps)
