"""What the platform stands on: who may do what (``access``), Azure as code (``azure``), containers, the bundle."""
