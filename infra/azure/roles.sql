-- Lets the two identities of Dagster into its database: each logs in by its own token and then acts as one role, which
-- owns every table, whoever of them made it. Run once as an administrator of the server, in the database dagster:
--   psql -v builder=NAME -v orchestrator=NAME -f infra/azure/roles.sql
-- after both exist (pgaadauth_create_principal). Undo: DROP OWNED BY dagster; DROP ROLE dagster.
CREATE ROLE dagster NOLOGIN;
GRANT dagster TO :"builder", :"orchestrator";
ALTER ROLE :"builder" IN DATABASE dagster SET role TO dagster;
ALTER ROLE :"orchestrator" IN DATABASE dagster SET role TO dagster;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO dagster;
