"""S3 through our own requests, for ``engine=http``."""
