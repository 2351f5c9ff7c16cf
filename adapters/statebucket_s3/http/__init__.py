"""S3 by requests of our own, for ``engine=http``."""
