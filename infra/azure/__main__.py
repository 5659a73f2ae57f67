"""What ``pulumi up`` runs, in this folder: one stack of the platform."""

import sys
from pathlib import Path

import pulumi

sys.path.insert(0, str(Path(__file__).parents[2]))  # Pulumi starts here, the package `infra` begins two folders above

from infra.azure.config import from_pulumi
from infra.azure.stack import deploy

for name, value in deploy(from_pulumi()).items():
    pulumi.export(name, value)
