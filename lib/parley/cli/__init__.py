"""
The command `parley`: asks, watches, decides; shows sessions, deliveries, preferences; mends what is broken.

    place.py      which installation, with which key
    show.py       how answers look: for a person, or with --json for a program
    asking.py, sessions.py, deliveries.py, preferences.py, operating.py, events.py,
    trouble.py, users.py    the commands
"""
