"""One run in a process of its own, as Dagster's run launcher starts one; the environment says which platform.

python -m netflix_dagster_tests.databricks.child <folder of the instance> <day> <run id> <tables> [<parent run id>]
"""

import sys

import dagster as dg

from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key

if __name__ == "__main__":
    home, day, run_id, tables, *parent = sys.argv[1:]
    with dg.DagsterInstance.local_temp(home) as instance:
        result = defs.resolve_job_def("catalogue_delivery").execute_in_process(
            instance=instance,
            partition_key=day,
            run_id=run_id,
            asset_selection=[asset_key(name) for name in tables.split(",")],
            tags={"dagster/parent_run_id": parent[0]} if parent else {},
            raise_on_error=False,
        )
    sys.exit(0 if result.success else 1)
