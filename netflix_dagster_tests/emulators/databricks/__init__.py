"""A Databricks workspace on this machine: the REST endpoints that databricks-sdk and Dagster's Pipes clients call.

A submitted task really runs: its wheel is installed into a folder of its own and the entry point is called in a
process of its own, with the environment that the task and its cluster give and nothing else. What it cannot run it
refuses, as Databricks refuses a wrong parameter.
"""

from netflix_dagster_tests.emulators.databricks.server import Workspace, workspace

__all__ = ["Workspace", "workspace"]
