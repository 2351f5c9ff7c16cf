"""LocalStack, run by ``make test-localstack`` in its own environment."""
