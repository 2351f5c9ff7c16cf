"""What callers see, bound to them by semantic versioning."""
