"""Cloud Storage by requests of our own, for ``engine=http``."""
