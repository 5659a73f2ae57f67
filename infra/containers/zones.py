"""Makes the containers of the zones in Azurite; in Azure they are made by ``infra/azure``."""

import os
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

ZONES = ("landing", "bronze", "silver", "gold", "quarantine", "checkpoints")

service = BlobServiceClient(os.environ["AZURE_STORAGE_ENDPOINT"], credential=os.environ["AZURE_STORAGE_ACCOUNT_KEY"])
for zone in ZONES:
    try:
        service.create_container(zone)
        sys.stdout.write(f"made {zone}\n")
    except ResourceExistsError:
        sys.stdout.write(f"{zone} is there\n")
