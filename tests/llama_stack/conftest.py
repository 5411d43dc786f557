"""A real Llama Stack server, whose model says what it is told."""

import pytest

from devkit.llama import LlamaStack as RealServer
from devkit.model import ScriptedModel


@pytest.fixture(scope="session")
def scripted():
    with ScriptedModel() as model:
        yield model


@pytest.fixture(scope="session")
def real_server(scripted, tmp_path_factory):
    with RealServer(scripted.url, tmp_path_factory.mktemp("llama-stack")) as server:
        yield server


@pytest.fixture
def model(scripted):
    """The model, with nothing left of earlier tests."""
    scripted.reset()
    return scripted
