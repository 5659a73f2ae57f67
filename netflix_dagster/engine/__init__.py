"""The engines that run the PySpark steps: sessions of Sail, Spark and Spark Connect."""
