"""One run, in a process of its own, whose step waits for a job through the client that dagster-databricks brings.

python -m netflix_dagster_tests.databricks.stock <folder of the instance> <run id> <file of the job, in the workspace>
"""

import sys

import dagster as dg
from dagster_databricks import PipesDatabricksClient
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs

from netflix_dagster_tests.databricks.cloud import CLUSTER

if __name__ == "__main__":
    home, run_id, file = sys.argv[1:]

    @dg.asset
    def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        task = jobs.SubmitTask(
            "wait", existing_cluster_id=CLUSTER, spark_python_task=jobs.SparkPythonTask(file, parameters=[])
        )
        client = PipesDatabricksClient(WorkspaceClient(), poll_interval_seconds=0.2)
        return client.run(context=context, task=task).get_materialize_result(implicit_materialization=True)

    with dg.DagsterInstance.local_temp(home) as instance:
        job = dg.Definitions([table]).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False)
    sys.exit(0 if result.success else 1)
