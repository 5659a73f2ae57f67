"""What consumers of the lake touch. Everything here is read from the contracts."""
