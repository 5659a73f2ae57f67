"""The life of a delivery: what landed, what was refused, held or stands, and who decided what."""
