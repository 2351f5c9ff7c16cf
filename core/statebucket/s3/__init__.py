"""What is S3's own, whichever client speaks to it: options, error codes, lifecycle rules."""
