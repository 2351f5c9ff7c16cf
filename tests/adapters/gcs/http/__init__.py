"""What is the lean engine's own on Cloud Storage."""
