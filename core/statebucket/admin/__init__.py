"""What operators run on a whole bucket, and what may take long."""
