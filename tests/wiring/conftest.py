"""The project's files as a cluster and `func` read them."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest
import yaml

from parley.adapters.files import load_defaults
from parley.adapters.postgres.database import Database
from standalone.host import names
from standalone.triggers import load_wiring

ROOT = Path(__file__).parents[2]
FUNCTIONS = names(ROOT)
CHANNELS = tuple(load_defaults(ROOT / "config" / "integrations.yaml").channels)
PUBLIC = {"slack-ingest", "request-api"}
TAKES_NO_EVENTS = PUBLIC | {"mcp-service-desk"}


@pytest.fixture(scope="session")
def func_yaml():
    """Read the func.yaml of a folder."""
    return lambda folder: yaml.safe_load((folder / "func.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def wiring():
    """The Triggers and sources, read as the local broker reads them."""
    return load_wiring(ROOT / "triggers", functions=set(FUNCTIONS))


@pytest.fixture(scope="session")
def loaded():
    """Import a function from its folder; gives its module."""

    def load(name):
        spec = importlib.util.spec_from_file_location(
            f"wired_{name.replace('-', '_')}", ROOT / "functions" / name / "func.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def pool_sizes(loaded):
    """How many connections one instance of each function may open: what it gives to its Database."""
    sizes = {}

    def size(name):
        if name not in sizes:
            module, made = loaded(name), []
            original = Database.__init__

            def spy(self, *arguments, **options):
                original(self, *arguments, **options)
                made.append(self)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Database, "__init__", spy)
                settings = {
                    "database_url": "postgresql://nobody@127.0.0.1:9/none",
                    "k_sink": "http://127.0.0.1:9/",
                    "webhook_signing_key": "k" * 32,
                    "event_key": ("k" * 32,),
                    "slack_signing_secret": ("k" * 32,),
                    "slack_bot_token": "xoxb-1",
                    "smtp_url": "smtp://127.0.0.1:9",
                    "mail_from": "a@example.org",
                    "aws_region": "eu-central-1",
                    "tool_signing_key": "A" * 43,
                    "tool_public_key": "A" * 43,
                    "config_dir": ROOT / "config",
                }
                fields = {field.name for field in dataclasses.fields(module.Config)}
                module.build(module.Config(**{key: value for key, value in settings.items() if key in fields}))
            sizes[name] = sum(one._max for one in made)
        return sizes[name]

    return size
