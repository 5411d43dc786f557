"""`make build|deploy|undeploy`: what `kn func` and kubectl are told, by programs that write it down."""

import pytest

from devkit import deploy, stage

REGISTRY = "registry.example.org/parley"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Give what runs a verb with stand-ins for both programs, and what they were told."""
    monkeypatch.setattr(stage, "BUILD", tmp_path / "build")
    monkeypatch.setattr(deploy, "BUILD", tmp_path / "build")
    monkeypatch.setattr(deploy, "stage", lambda name: stage.stage(name, tmp_path / "build"))
    log = tmp_path / "told"
    for name in ("func", "kubectl"):
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\n[ "$1" = version ] && {{ echo "$VERSION"; exit; }}\n'
            f'echo "{name} $*" >> {log}\ncase "$*" in *$FAILS*) exit 3 ;; esac\n',
            encoding="utf-8",
        )
        program.chmod(0o755)

    def run(*arguments, version="v1.23.1", fails="nothing", **env):
        monkeypatch.setenv("VERSION", version)
        monkeypatch.setenv("FAILS", fails)
        settings = {
            "FUNC": str(tmp_path / "func"),
            "KUBECTL": str(tmp_path / "kubectl"),
            "REGISTRY": REGISTRY,
            "BUILDER": "s2i",
            **env,
        }
        status = deploy.main(list(arguments), settings)
        said = log.read_text(encoding="utf-8") if log.exists() else ""
        return status, [line.replace(f"{tmp_path}/build", ".build") for line in said.splitlines()]

    return run


def test_a_deployment_is_followed_by_what_func_yaml_cannot_say(told):
    """In one patch, since each change of a Service is a revision of its own."""
    status, said = told("deploy", "recover", "deliver-test")

    patch = "--type json --patch-file"
    assert status == 0
    assert said == [
        f"func deploy --path .build/recover --builder s2i --registry {REGISTRY} --namespace parley",
        f"kubectl --namespace parley patch ksvc recover {patch} {deploy.SERVING / 'recover.yaml'}",
        f"func deploy --path .build/deliver-test --builder s2i --registry {REGISTRY} --namespace parley",
        f"kubectl --namespace parley patch ksvc deliver-test {patch} {deploy.SERVING / 'deliver-test.yaml'}",
    ]


def test_a_build_gets_what_else_is_asked_for(told):
    assert told("build", "parley", ARGS="--push --verbose") == (
        0,
        [f"func build --path .build/parley --builder s2i --registry {REGISTRY} --push --verbose"],
    )


def test_all_functions_are_taken_away_by_name(told):
    status, said = told("undeploy", "all")
    assert status == 0
    assert said == [f"func delete {name} --namespace parley" for name in stage.names()]


def test_what_fails_ends_it(told, tmp_path):
    """With its own status, and nothing comes after."""
    with pytest.raises(SystemExit) as ended:
        told("deploy", "recover", "deliver-test", fails="recover")
    assert ended.value.code == 3
    assert (tmp_path / "told").read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize("version", ["v1.22.2", "v0.49.2", "nobody knows", ""])
def test_an_older_func_is_refused(told, version, capsys):
    """Its images of these functions do not start."""
    assert told("deploy", "recover", version=version) == (2, [])
    assert "1.23 or newer" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["v1.23.0", "1.25.3", "v0.50.1", "Version: v1.30.0"])
def test_a_newer_func_is_used(told, version):
    assert told("build", "recover", version=version)[0] == 0


@pytest.mark.parametrize(
    ("env", "said"),
    [({"REGISTRY": ""}, "REGISTRY"), ({"BUILDER": "host"}, "BUILDER"), ({"FUNC": "/nonexistent"}, "/nonexistent")],
)
def test_what_is_missing_is_named(told, env, said, capsys):
    assert told("deploy", "recover", **env) == (2, [])
    assert said in capsys.readouterr().err


def test_a_name_that_is_no_function_is_refused(told, capsys):
    assert told("deploy", "recovery") == (2, [])
    assert "FN is one of" in capsys.readouterr().err
