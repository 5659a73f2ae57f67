-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- schema: gold
IF SCHEMA_ID('gold') IS NULL
    EXEC('CREATE SCHEMA gold');
GO

-- schema: metrics
IF SCHEMA_ID('metrics') IS NULL
    EXEC('CREATE SCHEMA metrics');
GO

-- schema: information
IF SCHEMA_ID('information') IS NULL
    EXEC('CREATE SCHEMA information');
GO
