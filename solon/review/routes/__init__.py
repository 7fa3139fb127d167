"""The endpoints, one module per theme."""
