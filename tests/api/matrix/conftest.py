"""The matrix only writes rows: one database, emptied after each test."""

from emptied import database_url, emptied_database

__all__ = ["database_url", "emptied_database"]
