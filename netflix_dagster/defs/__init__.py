"""Dagster only: partitions, assets, checks, sensors, automation, schedules, jobs and resources."""

import warnings

import dagster as dg

# Checks told apart by partition and links to the code are not final in Dagster yet; uv.lock pins what was tried.
for _not_final in (dg.PreviewWarning, dg.BetaWarning):
    warnings.filterwarnings("ignore", category=_not_final)
