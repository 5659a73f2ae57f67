"""Building: the door, the gates, one table for some deliveries, and the one runner that all programs call."""
