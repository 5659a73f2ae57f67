"""What has arrived: the sources as data, the landing folder, the keys of deliveries, events."""
