"""The endpoints of the API and the pages, one module per theme; a module of pages ends in `pages`, except `sso`.
Must never import app, serve or the worker."""
