"""
The service desk's rules: when a laptop may be replaced, and by what. Facts of the example company, as its documents
have them; no clock, no database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

REGIONS: Mapping[str, int] = {"Americas": 48, "EMEA": 36, "APAC": 42}  # months
COUNTRIES: Mapping[str, int] = {
    "Germany": 48, "Switzerland": 48, "United Kingdom": 36, "Japan": 48, "India": 36, "Australia": 42,
    "New Zealand": 42, "Brazil": 54, "Canada": 48, "Mexico": 48,
}  # fmt: skip
PERFORMANCE, PERFORMANCE_MONTHS = "Performance 16", 36
MODELS: Mapping[str, str] = {  # role → the model that it may choose
    "finance": "Standard 14", "people": "Standard 14", "support": "Standard 14", "operations": "Standard 14",
    "sales": "Light 13", "consulting": "Light 13", "design": "Mac 14", "marketing": "Mac 14", "product": "Mac 14",
    "engineering": PERFORMANCE, "data": PERFORMANCE, "research": PERFORMANCE,
}  # fmt: skip
DEFAULT_MODEL = "Standard 14"
EARLY_DAYS = 30  # so long before its refresh date a laptop may be ordered


@dataclass(frozen=True)
class Laptop:
    """A laptop and whose it is."""

    asset: str
    model: str
    shipped: date
    region: str
    country: str
    role: str


@dataclass(frozen=True)
class Refresh:
    """Whether a laptop may be replaced now, since or from when, by which rule, and by what."""

    eligible: bool
    from_date: date
    months: int
    rule: str
    models: tuple[str, ...]


def refresh(laptop: Laptop, today: date) -> Refresh:
    """Judge a laptop."""
    months, rule = _months(laptop)
    due = _later(laptop.shipped, months)
    ready = date.fromordinal(due.toordinal() - EARLY_DAYS)
    models = tuple(dict.fromkeys((MODELS.get(laptop.role, DEFAULT_MODEL), DEFAULT_MODEL)))
    return Refresh(today >= ready, due, months, rule, models)


def _months(laptop: Laptop) -> tuple[int, str]:
    if laptop.model == PERFORMANCE:
        return PERFORMANCE_MONTHS, f"{PERFORMANCE}: {PERFORMANCE_MONTHS} months everywhere"
    if laptop.country in COUNTRIES:
        return COUNTRIES[laptop.country], f"{laptop.country}: {COUNTRIES[laptop.country]} months"
    months = REGIONS[laptop.region]
    return months, f"{laptop.region}: {months} months"


def _later(day: date, months: int) -> date:
    """Give the same day so many months later; the last of the month when there is none."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
