"""The room where experts decide: the HTTP API, its pages and the worker that carries decisions to their graphs."""
