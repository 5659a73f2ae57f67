"""What a table promises: columns, rules, the graph of tables; and the report on a build."""
