"""
What func.yaml 0.36.0 may say, as far as this project uses it; anything else is an error: func itself only warns.

https://github.com/knative/func/blob/main/schema/func_yaml-schema.json
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Dns = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Strict(BaseModel):
    """No unknown field."""

    model_config = ConfigDict(extra="forbid", alias_generator=AliasGenerator(to_camel))


class Env(Strict):
    """A variable: text, or a reference to a Secret or ConfigMap."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str


class Label(Strict):
    """The one label that func.yaml carries: not reachable from outside."""

    key: Literal["networking.knative.dev/visibility"]
    value: Literal["cluster-local"]


class BuilderImages(Strict):
    """The image of the builder s2i: without it, func takes one of Python 3.9."""

    s2i: str = Field(alias="s2i")


class Build(Strict):
    """How an image is made."""

    builder: Literal["pack", "s2i"]
    builder_images: BuilderImages
    build_envs: list[Env]


class EmptyDir(Strict):
    """A folder that lives as long as its pod."""


class Volume(Strict):
    """A folder to write to."""

    empty_dir: EmptyDir
    path: Literal["/tmp"]  # noqa: S108 - the container's own


class Run(Strict):
    """What a container is given."""

    envs: list[Env]
    volumes: list[Volume]


class Health(Strict):
    """Where the probes ask."""

    liveness: Annotated[str, StringConstraints(pattern="^/")]
    readiness: Annotated[str, StringConstraints(pattern="^/")]


class Scale(Strict):
    """How many instances."""

    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=1)]


class Requests(Strict):
    """What an instance surely gets."""

    cpu: Annotated[str, StringConstraints(pattern=r"^\d+m?$")]
    memory: Annotated[str, StringConstraints(pattern=r"^\d+Mi$")]


class Limits(Strict):
    """What an instance cannot exceed. No CPU: it would make each start from zero slow."""

    memory: Annotated[str, StringConstraints(pattern=r"^\d+Mi$")]
    concurrency: Annotated[int, Field(ge=1)]


class Resources(Strict):
    """Requests and limits."""

    requests: Requests
    limits: Limits


class Options(Strict):
    """How it scales."""

    scale: Scale
    resources: Resources


class Deploy(Strict):
    """Where and how it runs."""

    namespace: Dns
    health_endpoints: Health
    labels: list[Label] = []
    options: Options


class FuncYaml(Strict):
    """A func.yaml."""

    spec_version: Literal["0.36.0"]
    name: Dns
    runtime: Literal["python"]
    created: datetime
    invoke: Literal["cloudevent", "http"]
    build: Build
    run: Run
    deploy: Deploy
