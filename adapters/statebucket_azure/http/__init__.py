"""Azure Blob by requests of our own, for ``engine=http``."""
