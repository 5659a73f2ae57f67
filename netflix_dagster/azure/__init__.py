"""The services of Azure that the platform uses: identity, secrets, telemetry. Imported only where needed."""
