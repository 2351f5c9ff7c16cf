"""S3 through aioboto3, the default engine."""
