"""A user whose tokens of the day are spent is told so at once, and from when on to ask again."""

from datetime import UTC, datetime

import psycopg
import pytest

from parley.domain.budget import Amount


@pytest.fixture
def spend(database_url):
    """Write down what a user has spent today."""

    def write(tokens, day="now() at time zone 'utc'"):
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                f"insert into token_usage (user_id, day, input_tokens) select id, ({day})::date, %s from users",
                [tokens],
            )

    return write


def test_a_spent_budget_is_429_with_the_time_of_the_next_day(api, ann, spend):
    api.desk.rules.budget = Amount(tokens=1000)
    assert ann.ask().status_code == 202
    spend(1000)

    answer = ann.ask()

    assert (answer.status_code, answer.json["type"]) == (429, "urn:parley:problem:budget-spent")
    midnight = datetime.fromisoformat(answer.json["detail"].removeprefix("Ask again from ").removesuffix("."))
    assert midnight.astimezone(UTC).strftime("%H:%M:%S") == "00:00:00"
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400


def test_a_spent_budget_of_money_is_429_too(api, ann, database_url):
    api.desk.rules.budget = Amount(micros=2_500_000)
    assert ann.ask().status_code == 202
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into token_usage (user_id, day, cost)"
                           " select id, (now() at time zone 'utc')::date, 2.5 from users")  # fmt: skip

    assert (ann.ask().status_code, ann.ask().headers["Retry-After"] > "0") == (429, True)


def test_yesterdays_tokens_do_not_count(api, ann, spend):
    api.desk.rules.budget = Amount(tokens=1000)
    ann.ask()
    spend(5000, "now() at time zone 'utc' - interval '1 day'")
    assert ann.ask().status_code == 202


def test_without_a_budget_nobody_counts(ann, spend):
    ann.ask()
    spend(10**9)
    assert ann.ask().status_code == 202
