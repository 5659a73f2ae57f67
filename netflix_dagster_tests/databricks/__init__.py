"""Tables that are built on Databricks: the real clients, a workspace and a storage account on this machine."""
