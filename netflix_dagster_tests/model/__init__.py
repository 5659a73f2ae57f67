"""The whole platform a second time, in plain Python and the simple way, and histories of deliveries to try it with."""
