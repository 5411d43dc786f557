"""These tests share one database, which is emptied after each."""

from emptied import database_url, emptied_database

__all__ = ["database_url", "emptied_database"]
