"""Azure Blob through our own requests, for ``engine=http``."""
