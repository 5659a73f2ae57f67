-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- grant: SELECT ON SCHEMA::gold TO platform
GRANT SELECT ON SCHEMA::gold TO [platform];
GO

-- grant: SELECT ON SCHEMA::metrics TO platform
GRANT SELECT ON SCHEMA::metrics TO [platform];
GO

-- grant: SELECT ON SCHEMA::information TO platform
GRANT SELECT ON SCHEMA::information TO [platform];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO platform
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO [platform];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO platform
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO [platform];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO platform
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO [platform];
GO

-- grant: ADMINISTER DATABASE BULK OPERATIONS TO platform
GRANT ADMINISTER DATABASE BULK OPERATIONS TO [platform];
GO

-- grant: SELECT ON SCHEMA::gold TO engineer
GRANT SELECT ON SCHEMA::gold TO [engineer];
GO

-- grant: SELECT ON SCHEMA::metrics TO engineer
GRANT SELECT ON SCHEMA::metrics TO [engineer];
GO

-- grant: SELECT ON SCHEMA::information TO engineer
GRANT SELECT ON SCHEMA::information TO [engineer];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO engineer
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO [engineer];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO engineer
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO [engineer];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO engineer
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO [engineer];
GO

-- grant: ADMINISTER DATABASE BULK OPERATIONS TO engineer
GRANT ADMINISTER DATABASE BULK OPERATIONS TO [engineer];
GO

-- grant: SELECT ON SCHEMA::gold TO analyst
GRANT SELECT ON SCHEMA::gold TO [analyst];
GO

-- grant: SELECT ON SCHEMA::metrics TO analyst
GRANT SELECT ON SCHEMA::metrics TO [analyst];
GO

-- grant: SELECT ON SCHEMA::information TO analyst
GRANT SELECT ON SCHEMA::information TO [analyst];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO analyst
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::gold TO [analyst];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO analyst
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO [analyst];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO analyst
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO [analyst];
GO

-- grant: ADMINISTER DATABASE BULK OPERATIONS TO analyst
GRANT ADMINISTER DATABASE BULK OPERATIONS TO [analyst];
GO

-- grant: SELECT ON OBJECT::gold.kpi_catalogue TO reader
GRANT SELECT ON OBJECT::gold.kpi_catalogue TO [reader];
GO

-- grant: SELECT ON OBJECT::gold.kpi_top10 TO reader
GRANT SELECT ON OBJECT::gold.kpi_top10 TO [reader];
GO

-- grant: SELECT ON SCHEMA::information TO reader
GRANT SELECT ON SCHEMA::information TO [reader];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO reader
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO [reader];
GO

-- grant: REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO reader
GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO [reader];
GO

-- grant: ADMINISTER DATABASE BULK OPERATIONS TO reader
GRANT ADMINISTER DATABASE BULK OPERATIONS TO [reader];
GO
