"""The ground on which worlds are played."""

import logging
from urllib.parse import urlsplit

import psycopg
import pytest

from simulation.ground import Ground


@pytest.fixture(scope="module")
def ground(request, postgres_server, database_template):
    name = f"{database_template}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{database_template}"')
    logging.disable(logging.CRITICAL)
    ground = Ground(urlsplit(postgres_server)._replace(path=f"/{name}").geturl())
    yield ground
    ground.close()
    logging.disable(logging.NOTSET)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')
