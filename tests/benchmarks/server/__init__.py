"""A server in memory that speaks S3, Cloud Storage and Azure Blob faster than their clients do."""
