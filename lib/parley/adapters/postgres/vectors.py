"""
Vectors on their way to PostgreSQL, as half floats of the package `pgvector`.

It is imported with the first vector, not at a cold start. The statements say `::halfvec`, so that no connection has to
ask for the number of the type first.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg.adapt import Buffer, Dumper

if TYPE_CHECKING:
    from pgvector import HalfVector


class _Written(Dumper):
    """Written as text, alone and in arrays."""

    def dump(self, obj: "HalfVector") -> Buffer:
        return obj.to_text().encode()


psycopg.adapters.register_dumper("pgvector.halfvec.HalfVector", _Written)


def half(vector: Sequence[float]) -> "HalfVector":
    """Give the vector as PostgreSQL keeps it."""
    from pgvector import HalfVector

    return HalfVector(list(vector))
