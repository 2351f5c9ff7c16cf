"""The lean HTTP client that the ``engine=http`` adapters share; it knows no service."""
