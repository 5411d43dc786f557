"""
The example's conversation as a person in Slack has it, by Slack's own requests: messages, files, a button. Whatever is
killed on the way, each answer is there once, and so is the ticket.
"""

import http.client
import json
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from fpdf import FPDF
from llama_stack.conftest import desk as installed
from llama_stack.test_laptop_refresh import employ_alice

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, deliver_form
from parley.channels import slack_actions


def direct(desk, text, thread=None, files=()):
    """Alice writes to the app alone; Slack's events for it are delivered. Gives the ts."""
    ts = desk.slack.say(ALICE, ALICE, text, thread_ts=thread, files=files)
    for payload in desk.slack.events_for(ts):
        desk.until(lambda payload=payload: desk._delivered(payload))
    return ts


def said(desk, thread, words):
    """The messages of a thread that say this, as they read now."""
    return [text for text in desk.posted(thread) if words in text]


@pytest.fixture
def desk(one_process, model):
    one_process.forget()
    return one_process


def test_files_are_read_and_known_in_the_next_question(desk, model):
    """A PDF and a picture: the one is read by the model, of the other the person is told; the thread has its title."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, "Laptops of the night shift are replaced after 30 months.")
    read = desk.slack.upload(ALICE, "night-shift.pdf", bytes(pdf.output()), file_access="check_file_info")
    unread = desk.slack.upload(ALICE, "me.png", b"\x89PNG\r\n\x1a\n\x00\x00")
    model.behave(
        Behaviour(
            [
                {"asked": "since when", "seen": "after 30 months", "say": "It still says 30 months."},
                {"seen": "after 30 months", "say": "After 30 months."},
            ]
        )
    )

    thread = direct(desk, "What does it say?", files=[read, unread])
    [answer] = desk.until(lambda: said(desk, thread, "After 30 months."))
    direct(desk, "Since when?", thread)
    desk.until(lambda: said(desk, thread, "It still says 30 months."))

    assert "I could not read me.png: it is neither text nor PDF" in answer
    assert len(desk.slack.calls("files-pri")) == 2
    place = desk.slack.workspace.open((ALICE,))[0]
    assert desk.slack.workspace.titles[place, thread] == "What does it say?"


class Between:
    """Stands between agent-turn and the service desk, and strikes at each call of a tool: before it, then after it."""

    def __init__(self):
        self.upstream, self.strike, self.struck = "", lambda: None, {}

    def __call__(self, request):
        call = json.loads(request.body or b"{}")
        if call.get("method") != "tools/call":
            return self._passed_on(request)
        name = call["params"]["name"]
        times = self.struck[name] = self.struck.get(name, 0) + 1
        if times == 1:
            self.strike()
            return Reply(503)
        reply = self._passed_on(request)
        if times == 2:
            self.strike()  # it has happened, and nobody hears of it
        return reply

    def _passed_on(self, request):
        place = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(place.netloc, timeout=20)
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        connection.request(request.method, request.path, request.body, headers)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
        return Reply(answer.status, answer.read(), kept)


def test_with_agent_turn_killed_at_every_call_of_the_model_and_of_a_tool(real_server, model, tmp_path):
    """kill -9 when the model is asked, when a tool is called, and when it was: one ticket and each answer once."""
    between, asked = Between(), set()
    with ExitStack() as stack:
        tools = stack.enter_context(LocalServer(between))
        desk = installed(tmp_path / "parley", real_server, processes=True, MCP_URLS=f"service-desk={tools.url}/mcp")
        stack.callback(desk.slack.__exit__, None, None, None)
        stack.enter_context(desk.parley)
        between.upstream = f"http://127.0.0.1:{desk.parley.facts['ports']['mcp-service-desk']}"
        between.strike = lambda: desk.parley.kill_function("agent-turn")

        def strike():
            prompt = str(model.asked[-1]["messages"])
            if prompt not in asked:
                asked.add(prompt)
                between.strike()

        model.behave(Behaviour(LAPTOP_REFRESH), on_asked=strike)
        employ_alice(desk)

        thread = direct(desk, "I need a new laptop")
        desk.until(lambda: said(desk, thread, "Shall I order"))
        direct(desk, "Order it, please", thread)
        desk.until(lambda: said(desk, thread, "in place of the laptop AF200001"))
        assert desk.tickets() == []
        [message] = [m for m in desk.slack.messages(from_bot=True) if slack_actions.APPROVE in str(m.get("blocks"))]
        fields = desk.slack.surfaces.click(ALICE, message, slack_actions.APPROVE)
        url = desk.parley.slack_url.replace("/slack/events", "/slack/interactive")
        assert deliver_form(url, fields, desk.slack.signing_secret).status == 200
        desk.until(lambda: said(desk, thread, "It is ordered"))

        [decided] = desk.slack.surfaces.replies[-1:]
        assert decided["body"]["replace_original"]
        assert "in place of the laptop AF200001" in decided["body"]["text"]
        assert decided["body"]["text"].endswith("*Approved. I go on.*")
        assert len(asked) == 7
        assert between.struck.keys() == {"find_laptops", "check_refresh", "order_refresh"}
        assert all(times > 2 for times in between.struck.values())
        assert [(one["email"], one["asset"]) for one in desk.tickets()] == [("alice@example.com", "AF200001")]
        answers = ("Shall I order", "in place of the laptop AF200001", "It is ordered")
        assert [len(said(desk, thread, words)) for words in answers] == [1, 1, 1]
