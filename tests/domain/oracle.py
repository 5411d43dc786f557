"""
The delivery plan once more, said as plainly as possible: what tests hold the real one against.

Written from the rules and not from the code: sets and loops, minutes of the day instead of times, nothing shared.
"""


def channels(defaults, own, wanted, origin):
    """Give what is tried, in order: ("there", name) for the place of the question, ("own", name) for a user's own."""
    wanted = wanted or {}
    mode = wanted.get("mode")
    named = [("own", name) for name in wanted.get("channels") or []]
    there = [("there", origin["channel"])] if origin else []
    if named:
        return mode or "first", (there if mode == "origin" else []) + named
    by_rank = []
    for name, default in defaults.items():
        theirs = None if "rank" in default["locked"] else own.get(name, {}).get("rank")
        number = default["rank"] if theirs is None else theirs
        if number is not None:
            by_rank.append((number, 1 if theirs is None else 0, name))
    ranked = [("own", name) for _, _, name in sorted(by_rank)]
    if mode == "first":
        return "first", ranked
    if origin:
        return mode or "origin", there + ranked
    return mode or "first", ranked if mode else []


def is_off(default, own):
    """Whether a channel is never used."""
    said = None if "enabled" in default["locked"] else own.get("enabled")
    return not (default["enabled"] if said is None else said)


def place(name, where, own, origin, email, slack):  # noqa: PLR0911 - a line for each rule
    """Name the place, or None when there is none."""
    if where == "there":
        return ":".join([name, *(origin[part] for part in ("workspace", "conversation", "thread") if origin[part])])
    config = own.get("config", {})
    if name == "slack":
        if origin and origin["conversation"][0] == "D":
            return None
        home = [one for one in slack if origin and one.split(":")[0] == origin["workspace"]]
        return f"slack:{(home or list(slack))[0]}" if slack else None
    if name == "email":
        address = config.get("address") or email
        return f"email:{address.lower()}" if address and "@" in address else None
    if name == "sms":
        number = config.get("number")
        return f"sms:{number}" if number and number[0] == "+" and number[1:].isdigit() else None
    if name == "webhook":
        url = config.get("url")
        return f"webhook:{url}" if url and url.startswith("http") and url.count("[") == url.count("]") else None
    return name


def tried(case):
    """Give the mode and the channels that are used, each with its place, level, seconds and minutes of delay."""
    mode, attempts = channels(case["defaults"], case["own"], case["wanted"], case["origin"])
    found, seen = [], set()
    for where, name in attempts:
        default, own = case["defaults"].get(name), case["own"].get(name, {})
        if default is None or is_off(default, own) or own.get("trouble"):
            continue
        at = place(name, where, own, case["origin"], case["email"], case["slack"])
        if at is None or at in seen or at in case["suppressed"]:
            continue
        seen.add(at)
        due = not found or mode == "all"
        found.append((name, at, *chosen(case, default, own), delay(case, default, where) if due else 0))
    return mode, found


def chosen(case, default, own):
    """Give level and seconds: the request's, else the user's unless it is locked, else the default's."""
    wanted = case["wanted"] or {}
    values = []
    for field in ("level", "patience"):
        theirs = None if field in default["locked"] else own.get(field)
        values.append(wanted.get(field) or theirs or default[field])
    return tuple(values)


def delay(case, default, where):
    """Give the minutes until quiet hours are over; 0 when they do not count."""
    quiet = case["quiet"]
    if not default["interrupts"] or where == "there" or quiet is None or (case["wanted"] or {}).get("critical"):
        return 0
    if case["minutes_since_acted"] <= 15 or quiet[0] == quiet[1]:
        return 0
    here, waited = (case["minute"] + case["zone_minutes"]) % 1440, 0
    while is_quiet((here + waited) % 1440, *quiet):
        waited += 1
    return waited


def is_quiet(minute, begin, end):
    """Whether a minute of the day is between two others, going round midnight."""
    return begin <= minute < end if begin < end else minute >= begin or minute < end
