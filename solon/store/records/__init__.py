"""What came out, as reports, comparisons, exports and releases read it. Must never import privacy."""
