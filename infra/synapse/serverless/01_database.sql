-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- database: $(database) | Latin1_General_100_BIN2_UTF8
IF DB_ID('$(database)') IS NULL
    CREATE DATABASE [$(database)] COLLATE Latin1_General_100_BIN2_UTF8;
GO
