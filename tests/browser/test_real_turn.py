"""A turn of the real agent-turn behind the page: its agents, its loop, its journal; only the model is played."""

import importlib.util
import threading
import time
import uuid

import pytest
from browser.stage import turns
from playwright.sync_api import expect
from processes import FUNCTIONS
from shelves import Shelves

from devkit.model import Call, Said
from devkit.thinking import Thinking
from parley import envelope, serve
from parley.adapters.files import load_defaults
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents import tools
from parley.agents.load import load_all
from parley.domain.events import RequestCreated
from parley.ports import Publisher
from parley.turns import Planner, Turns

CONFIG = FUNCTIONS.parent / "config"
ANSWER = "Laptops are replaced every three years in EMEA and every four years in the Americas [1]."
PACE = 0.04  # seconds for a word, as a quick model has it


class Nowhere(Publisher):
    def publish(self, emit):
        """Nobody listens."""


class Speaking(Thinking):
    """Says its words as a model does, and holds its breath in the middle until `go`."""

    go = threading.Event()

    def ask(self, agent, conversation, say):
        """Answer, word by word."""
        said = 0

        def paced(word):
            nonlocal said
            said += 1
            if said == 8:
                assert self.go.wait(60)
            time.sleep(PACE)
            say(word)

        return super().ask(agent, conversation, paced)


def front_desk(_, tools_offered):
    """The front desk hands over; the specialist, who has nobody to hand over to but back, answers."""
    names = {one["function"]["name"] for one in tools_offered}
    return Said(calls=(Call("hand_over_to_it-desk"),)) if "hand_over_to_it-desk" in names else Said(ANSWER)


@pytest.fixture
def agent_turn(stage):
    """The function of its folder, with everything as it ships but the model; takes events as from a broker."""
    spec = importlib.util.spec_from_file_location("agent_turn", FUNCTIONS / "agent-turn" / "func.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    configured, shelves = load_all(CONFIG), Shelves(stage.database)
    shelves.load_folder(CONFIG / "knowledge" / "it-desk")
    engine = Speaking(configured.agents, tools.parse({}), shelves, front_desk)
    planner = Planner(load_defaults(CONFIG / "integrations.yaml"), Users(stage.database).plan_inputs)
    store = Requests(stage.database)
    module.function._handler = Turns(
        store, configured.agents, engine, planner, Nowhere(), owner="agent-turn-7f4c", revision=configured.revision
    )
    client = serve.application(module.function).test_client()

    def take(request_id):
        session = stage.database.row("standing", id=request_id)["session_id"]
        contract = RequestCreated(request_id=request_id, session_id=session)
        body = contract.model_dump_json().encode()
        headers, data = envelope.to_binary(envelope.Event(uuid.uuid4().hex, "/test", contract.TYPE, body=body))
        replies.append(client.post("/", headers=headers, data=data).status_code)

    replies, working = [], []

    def begin(request_id):
        working.append(threading.Thread(target=take, args=(request_id,)))
        working[0].start()

    yield begin, engine.go
    engine.go.set()
    working[0].join(60)
    assert replies == [202]


def test_a_real_turn_streams_to_the_page(ann, stage, agent_turn):
    """Handed over and looked up; words are there while the model still speaks, in the end the stored answer."""
    begin, go = agent_turn
    begin(stage.asked(ann, "How old must my laptop be before I can get a new one?"))

    expect(ann.locator(".answer")).to_contain_text("Laptops are replaced")
    assert ann.locator(".turn[data-is=completed]").count() == 0
    go.set()

    turns(ann, 1)
    expect(ann.locator(".answer")).to_contain_text("four years in the Americas")
    expect(ann.locator(".sources")).to_contain_text("Laptop")
