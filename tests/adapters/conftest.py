"""What the tests of adapters share."""

import pytest
from databases import fresh


@pytest.fixture
def empty_url(postgres_server):
    """A database without a schema, for one test."""
    with fresh(postgres_server) as url:
        yield url
