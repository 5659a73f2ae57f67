"""Azure Data Factory on this machine: its expressions, its pipelines, its management API.

``expressions`` evaluates, ``engine`` runs the pipelines of ``infra/adf`` on folders of this machine, ``server`` answers
as the management API does. Each is stricter than the service rather than laxer: what it does not know it refuses.
"""
