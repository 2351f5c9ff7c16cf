"""Azure Blob through azure-storage-blob."""
