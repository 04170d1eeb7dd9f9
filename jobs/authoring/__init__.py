"""Task definition: the decorator, parameters and their models, context types, and the catalog."""
