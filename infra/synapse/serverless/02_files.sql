-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- master key: ##MS_DatabaseMasterKey##
IF NOT EXISTS (SELECT 1 FROM sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##')
    CREATE MASTER KEY;
GO

-- credential: gold | Managed Identity
IF NOT EXISTS (SELECT 1 FROM sys.database_scoped_credentials WHERE name = 'gold')
    CREATE DATABASE SCOPED CREDENTIAL [gold] WITH IDENTITY = 'Managed Identity';
GO

-- credential: kpi_catalogue | Managed Identity
IF NOT EXISTS (SELECT 1 FROM sys.database_scoped_credentials WHERE name = 'kpi_catalogue')
    CREATE DATABASE SCOPED CREDENTIAL [kpi_catalogue] WITH IDENTITY = 'Managed Identity';
GO

-- credential: kpi_top10 | Managed Identity
IF NOT EXISTS (SELECT 1 FROM sys.database_scoped_credentials WHERE name = 'kpi_top10')
    CREATE DATABASE SCOPED CREDENTIAL [kpi_top10] WITH IDENTITY = 'Managed Identity';
GO

-- data source: gold | $(gold)
IF NOT EXISTS (SELECT 1 FROM sys.external_data_sources WHERE name = 'gold')
    CREATE EXTERNAL DATA SOURCE [gold] WITH (LOCATION = '$(gold)', CREDENTIAL = [gold]);
GO

-- data source: kpi_catalogue | $(gold)/kpi_catalogue
IF NOT EXISTS (SELECT 1 FROM sys.external_data_sources WHERE name = 'kpi_catalogue')
    CREATE EXTERNAL DATA SOURCE [kpi_catalogue] WITH (LOCATION = '$(gold)/kpi_catalogue', CREDENTIAL = [kpi_catalogue]);
GO

-- data source: kpi_top10 | $(gold)/kpi_top10
IF NOT EXISTS (SELECT 1 FROM sys.external_data_sources WHERE name = 'kpi_top10')
    CREATE EXTERNAL DATA SOURCE [kpi_top10] WITH (LOCATION = '$(gold)/kpi_top10', CREDENTIAL = [kpi_top10]);
GO
