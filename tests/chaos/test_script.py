"""The script of a chaos run."""

from chaos.script import only, write


def test_the_same_seed_gives_the_same_script():
    """Everything that is decided comes from the seed: a run that failed can be had again."""
    assert write(7, 300, 60) == write(7, 300, 60)
    assert write(7, 300, 60) != write(8, 300, 60)


def test_one_function_alone_can_be_killed():
    """At even distances, and nothing outside misbehaves; the questions stay what they were."""
    whole = write(7, 300, 60)

    calm = only(whole, "agent-turn", every=6.0)

    assert [(harm.at, harm.name) for harm in calm.harms] == [(6.0 * n, "agent-turn") for n in range(1, 10)]
    assert (calm.talks, calm.troubles) == (whole.talks, ())


def test_a_script_has_everything():
    """It asks as often as wanted, in order of time and within it, and harms of each kind come up."""
    script = write(1, 2000, 400)

    assert script.questions == 2000
    assert [talk.at for talk in script.talks] == sorted(talk.at for talk in script.talks)
    assert max(talk.at for talk in script.talks) < 400
    assert {harm.kind for harm in script.harms} == {"function", "postgres", "host", "everything"}
    assert {"reset", "ratelimited", "status", "error", "hang"} <= {t.slack.kind for t in script.troubles if t.slack}
