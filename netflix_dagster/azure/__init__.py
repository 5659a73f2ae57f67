"""What of Azure the platform uses: identity, secrets, telemetry. Imported only where it is asked for."""
