"""
The names of our buttons, forms and shortcuts in Slack: what renders them and what reads them share this page.

A button's value is `<id>` or `<word>:<id>`; an approval's is `<action id>:<digest>`, so that a click decides exactly
what was shown.
"""

from typing import Final

APPROVE: Final = "parley_approve"
DENY: Final = "parley_deny"
VOTE: Final = "parley_vote"  # feedback_buttons; values `good:<request id>`, `bad:<request id>`
STOP: Final = "parley_stop"  # value: request id, or empty: what runs in this thread
CANCEL: Final = "parley_cancel"  # value: request id
ESCALATE: Final = "parley_escalate"  # value: request id
OPEN_ASK: Final = "parley_open_ask"  # opens the form ASK
OPEN_PREFERENCES: Final = "parley_open_preferences"

ASK: Final = "parley_ask"  # the form to ask, and the global shortcut that opens it
ASK_ABOUT: Final = "parley_ask_about"  # the shortcut on a message
PREFERENCES: Final = "parley_preferences"  # the form of preferences

TIMEZONE: Final = "parley_timezone"  # its options are looked up while somebody types

COMMAND: Final = "/parley"
COMMANDS: Final = ("ask", "status", "person", "preferences", "new", "help")

QUESTION: Final = "question"  # input of ASK
CHANNELS: Final = ("slack", "email", "sms", "webhook")  # that a person may order and switch off in PREFERENCES
QUIET_FROM: Final = "quiet_from"
QUIET_UNTIL: Final = "quiet_until"
