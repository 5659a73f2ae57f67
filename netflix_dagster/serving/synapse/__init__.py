"""Azure Synapse: gold and its metrics for everyone who speaks T-SQL.

``serverless`` says what the database of the serverless pool holds, from contracts and metrics; ``scripts`` writes that
as numbered files into ``infra/synapse`` and reads them; ``applying`` brings a database up to them, over ``server``.
``pool`` is the option of a dedicated pool, with copies of the tables.
"""
