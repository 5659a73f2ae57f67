# Databricks notebook source
# MAGIC %md
# MAGIC # One source, from landing to gold
# MAGIC Builds what is pending of a source. It fails when a delivery is held back, and says why: mend the file, then
# MAGIC repair the run. To build again what stands already changes nothing.

# COMMAND ----------

dbutils.widgets.text("source", "", "The source, such as netflix_catalogue")
dbutils.widgets.text("landing", "", "Folder of <source>/<delivery date>/<file>")
dbutils.widgets.text("lake", "", "Folder of <layer>/<table>")

# COMMAND ----------

from netflix_dagster.databricks import workflow

built = workflow.build_source(
    dbutils.widgets.get("source"), dbutils.widgets.get("landing"), dbutils.widgets.get("lake")
)

# COMMAND ----------

dbutils.notebook.exit(f"{built['delivery_dates']} delivery dates, {built['tables']} tables")
