"""The lean HTTP client that the clouds' own engines share; it knows no service."""
