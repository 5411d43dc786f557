"""State: PostgreSQL with pgvector. SQL lives in `sql/`, the schema in `migrations/`."""
