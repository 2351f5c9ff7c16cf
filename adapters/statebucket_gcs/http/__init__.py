"""Cloud Storage through our own requests, for ``engine=http``."""
