"""How tables are kept: contract, parsing, expectations, write modes, maintenance, engines. Knows no Dagster."""
