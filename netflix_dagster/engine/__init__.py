"""What runs the PySpark steps: sessions of Sail, Spark and Spark Connect."""
