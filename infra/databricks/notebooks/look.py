# Databricks notebook source
# MAGIC %md
# MAGIC # What is to be built
# MAGIC Compares the landing folder with the life of the deliveries, and hands on the names of the sources of which
# MAGIC something is pending: `sources`, for the loop of the job, and `pending`, how many they are.

# COMMAND ----------

dbutils.widgets.text("landing", "", "Folder of <source>/<delivery date>/<file>")
dbutils.widgets.text("lake", "", "Folder of <layer>/<table>")

# COMMAND ----------

from netflix_dagster.databricks import workflow

sources = workflow.pending_sources(dbutils.widgets.get("landing"), dbutils.widgets.get("lake"))

# COMMAND ----------

dbutils.jobs.taskValues.set(key="sources", value=sources)
dbutils.jobs.taskValues.set(key="pending", value=len(sources))
dbutils.notebook.exit(", ".join(sources) or "nothing is pending")
