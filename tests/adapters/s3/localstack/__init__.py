"""LocalStack, run by ``make test-localstack``: it has an environment of its own."""
