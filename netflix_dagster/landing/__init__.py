"""What has arrived: the sources as data, the landing folder, the identity of a delivery."""
