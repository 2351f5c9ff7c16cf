"""What an adapter's author implements and may use, bound to authors by semantic versioning."""
