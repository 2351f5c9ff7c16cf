"""The cost of our store per call, compared with the SDKs by hand and other libraries."""
