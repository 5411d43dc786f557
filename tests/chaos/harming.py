"""What is done to the installation and to the world around it while people ask."""

import threading
import time
from collections import Counter

from chaos.script import Harm, Script, Trouble
from devkit.installation import Installation
from devkit.mailbox import Mailbox
from devkit.receiver import WebhookReceiver
from devkit.slack import SlackStandIn


class Harming:
    """Two threads: one kills, one after the other; one lets the outside misbehave. `error` is why killing ended."""

    def __init__(self, parley: Installation, slack: SlackStandIn, hook: WebhookReceiver, mail: Mailbox) -> None:
        self.counts: Counter[str] = Counter()
        self.moments: list[tuple[float, float]] = []  # from when to when
        self.killed: list[float] = []  # when the process that takes turns was killed
        self.doing = ""
        self.error: Exception | None = None
        self._parley = parley
        self._slack = slack
        self._hook = hook
        self._mail = mail
        self._threads: list[threading.Thread] = []

    def start(self, script: Script, since: float, stopped: threading.Event) -> None:
        """Begin."""
        for work in (self._harm, self._trouble):
            thread = threading.Thread(target=work, args=(script, since, stopped), daemon=True)
            self._threads.append(thread)
            thread.start()

    def wait(self) -> None:
        """Wait until the last harm is done and everything runs again; then nothing misbehaves any more."""
        for thread in self._threads:
            thread.join()
        self._slack.faults.clear()

    def _harm(self, script: Script, since: float, stopped: threading.Event) -> None:
        for harm in script.harms:
            if stopped.wait(max(0.0, since + harm.at - time.monotonic())):
                return
            if time.monotonic() > since + script.seconds:
                return  # starting again took so long that nobody asks any more
            self.doing = f"{harm.kind} {harm.name}"
            try:
                self._do(harm)
            except Exception as error:  # noqa: BLE001 - it ends the run, whatever it is
                self.error = error
                stopped.set()
                return
            self.doing = ""

    def _do(self, harm: Harm) -> None:
        begun = time.time()
        self.counts[harm.kind] += 1
        match harm.kind:
            case "function":
                if self._parley.kill_function(harm.name) and harm.name == "agent-turn":
                    self.killed.append(time.time())
            case "postgres":
                self._parley.restart_postgres(down=harm.down)
            case "host":
                self._parley.kill_host()
                self._parley.start()
            case "everything":
                self._parley.kill()
                self._parley.start()
        self.moments.append((begun, time.time()))

    def _trouble(self, script: Script, since: float, stopped: threading.Event) -> None:
        for trouble in script.troubles:
            if stopped.wait(max(0.0, since + trouble.at - time.monotonic())):
                return
            self._misbehave(trouble)

    def _misbehave(self, trouble: Trouble) -> None:
        if trouble.slack:
            self._slack.fail(trouble.slack)
        elif trouble.hook:
            self._hook.answer(trouble.hook)
        elif trouble.mail is not None:
            self._mail.drop_after_dot(kept=trouble.mail)
