"""Random APIs and random queries: what PatQL answers over HTTP is what DuckDB answers over the whole data in tables."""
