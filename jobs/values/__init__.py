"""The values that tasks return and emit, and the JSON form of each."""
