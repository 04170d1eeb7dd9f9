"""The value types that tasks return and emit, and their JSON forms."""
