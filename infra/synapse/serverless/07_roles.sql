-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- role: platform
IF DATABASE_PRINCIPAL_ID('platform') IS NULL
    CREATE ROLE [platform];
GO

-- role: engineer
IF DATABASE_PRINCIPAL_ID('engineer') IS NULL
    CREATE ROLE [engineer];
GO

-- role: analyst
IF DATABASE_PRINCIPAL_ID('analyst') IS NULL
    CREATE ROLE [analyst];
GO

-- role: reader
IF DATABASE_PRINCIPAL_ID('reader') IS NULL
    CREATE ROLE [reader];
GO

-- user: data-analysts
IF DATABASE_PRINCIPAL_ID('data-analysts') IS NULL
    CREATE USER [data-analysts] FROM EXTERNAL PROVIDER;
GO

-- user: data-engineers
IF DATABASE_PRINCIPAL_ID('data-engineers') IS NULL
    CREATE USER [data-engineers] FROM EXTERNAL PROVIDER;
GO

-- user: data-platform
IF DATABASE_PRINCIPAL_ID('data-platform') IS NULL
    CREATE USER [data-platform] FROM EXTERNAL PROVIDER;
GO

-- user: data-readers
IF DATABASE_PRINCIPAL_ID('data-readers') IS NULL
    CREATE USER [data-readers] FROM EXTERNAL PROVIDER;
GO

-- member: data-platform of platform
ALTER ROLE [platform] ADD MEMBER [data-platform];
GO

-- member: data-engineers of engineer
ALTER ROLE [engineer] ADD MEMBER [data-engineers];
GO

-- member: data-analysts of analyst
ALTER ROLE [analyst] ADD MEMBER [data-analysts];
GO

-- member: data-readers of reader
ALTER ROLE [reader] ADD MEMBER [data-readers];
GO
