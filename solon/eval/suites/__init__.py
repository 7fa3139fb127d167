"""The built-in suites, one a file: a function `evaluate` from material to a result. Must never import the report."""
