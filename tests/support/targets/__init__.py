"""The places that the contract suite runs against here, one module per service."""
