"""The database: tables, connections, queries, migrations. No other room knows it; it never imports agents or graphs."""
