"""The console script ``netflix-dagster``. With ``--json`` one JSON document goes to stdout, the rest to stderr.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

from netflix_dagster.cli.commands import app

__all__ = ["app"]
