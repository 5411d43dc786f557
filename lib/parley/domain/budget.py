"""
What a user may spend in a day: tokens, and money in whole micro-units of the prices' currency, so nothing is rounded.

Estimates are reserved before a model is asked, and settled by what it took: see `Budget.expected`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from parley.errors import Misconfigured

MICROS = 1_000_000  # of one unit of the currency


@dataclass(frozen=True)
class Amount:
    """So many tokens, and so many micro-units. As a limit, 0 is any number."""

    tokens: int = 0
    micros: int = 0

    def is_above(self, limit: "Amount") -> bool:
        """Whether more is spent than may be, of anything that is limited."""
        return 0 < limit.tokens < self.tokens or 0 < limit.micros < self.micros


ANY = Amount()  # as a limit


@dataclass(frozen=True)
class Price:
    """Micro-units of a million tokens of input, and of output."""

    input: int
    output: int

    def of(self, taken: int, given: int) -> int:
        """Give what these tokens cost in micro-units, rounded up."""
        return -(-(taken * self.input + given * self.output) // 1_000_000)


@dataclass(frozen=True)
class Budget:
    """The limit of each user's day, and what models cost; `model` is what agents without one of their own ask."""

    limit: Amount = ANY
    prices: Mapping[str, Price] = field(default_factory=dict)
    model: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return self.limit != ANY

    def expected(self, model: str | None, taken: int, given: int) -> Amount:
        """Give what a call of this model will spend at most."""
        price = self.prices.get(model or self.model or "")
        return Amount(taken + given, price.of(taken, given) if price else 0)

    def check(self, models: Iterable[str | None]) -> None:
        """Raises Misconfigured when money is limited and a model has no price: it would be for nothing."""
        free = sorted({model or self.model or "" for model in models} - set(self.prices))
        if self.limit.micros and free:
            raise Misconfigured(f"MODEL_PRICES: {free[0]} has no price, and BUDGET_COST_PER_DAY is set")


UNLIMITED = Budget()


def limit_of(tokens: int, cost: str | None) -> Amount:
    """Read the limits of a day. Raises Misconfigured."""
    if not cost:
        return Amount(tokens)
    try:
        micros = micros_of(cost)
    except ValueError:
        raise Misconfigured("BUDGET_COST_PER_DAY: expected an amount such as 2.50") from None
    if not micros:
        raise Misconfigured("BUDGET_COST_PER_DAY: must be more than nothing; leave it out for any amount")
    return Amount(tokens, micros)


def prices_of(words: Iterable[str]) -> dict[str, Price]:
    """Read `model=input/output` words, prices of a million tokens. Raises Misconfigured."""
    found: dict[str, Price] = {}
    for word in words:
        model, _, prices = word.rpartition("=")
        per_input, _, per_output = prices.partition("/")
        try:
            found[model] = Price(micros_of(per_input), micros_of(per_output))
        except ValueError:
            raise Misconfigured("MODEL_PRICES: expected model=0.5/1.5, comma separated") from None
    return found


def micros_of(text: str) -> int:
    """Read an amount of money. Raises ValueError when it is none, is below zero or finer than a micro-unit."""
    try:
        micros = Decimal(text.strip()) * MICROS
    except InvalidOperation:
        raise ValueError("no amount") from None
    if not micros.is_finite() or micros < 0 or micros != micros.to_integral_value():
        raise ValueError("no amount")
    return int(micros)
