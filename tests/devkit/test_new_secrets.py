"""`make secrets`: what can be made up is, and nothing else."""

import yaml

from devkit import new_secrets
from parley import tokens

TEMPLATE = new_secrets.TEMPLATE.read_text(encoding="utf-8")


def filled():
    return {
        (one["metadata"]["name"], key): value
        for one in yaml.safe_load_all(new_secrets.filled(TEMPLATE))
        for key, value in one["stringData"].items()
    }


def test_keys_are_new_and_what_only_people_know_stays_empty():
    first, second = filled(), filled()

    made = {key for key, value in first.items() if value}
    assert made == {
        ("parley-events", "key"), ("parley-webhook", "signing-key"), ("parley-links", "signing-key"),
        ("parley-slack", "token-key"), ("parley-tools", "signing-key"), ("parley-tools", "public-key"),
    }  # fmt: skip
    assert all(first[key] != second[key] for key in made)
    assert {len(first[key]) for key in made} == {43, 44}


def test_the_two_keys_for_tools_belong_together():
    made = filled()
    assert tokens.public_of(made["parley-tools", "signing-key"]) == made["parley-tools", "public-key"]


def test_the_rest_is_the_template():
    same = [line for line in new_secrets.filled(TEMPLATE).splitlines() if line in TEMPLATE.splitlines()]
    assert len(same) == len(TEMPLATE.splitlines()) - 6
