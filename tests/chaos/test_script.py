"""The script of a chaos run."""

from chaos.script import write


def test_the_same_seed_gives_the_same_script():
    """Everything that is decided comes from the seed: a run that failed can be had again."""
    assert write(7, 300, 60) == write(7, 300, 60)
    assert write(7, 300, 60) != write(8, 300, 60)


def test_a_script_has_everything():
    """It asks as often as wanted, in order of time and within it, and harms of each kind come up."""
    script = write(1, 2000, 400)

    assert script.questions == 2000
    assert [talk.at for talk in script.talks] == sorted(talk.at for talk in script.talks)
    assert max(talk.at for talk in script.talks) < 400
    assert {harm.kind for harm in script.harms} == {"function", "postgres", "host", "everything"}
    assert {"reset", "ratelimited", "status", "error", "hang"} <= {t.slack.kind for t in script.troubles if t.slack}
