"""
What func.yaml 0.36.0 may say, as far as this project uses it; anything else is an error.

https://github.com/knative/func/blob/main/schema/func_yaml-schema.json
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Dns = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=AliasGenerator(to_camel))


class Env(Strict):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str


class Pair(Strict):
    key: str
    value: str


class Build(Strict):
    builder: Literal["pack", "s2i", "host"]
    builder_images: dict[Literal["pack", "s2i"], str]
    build_envs: list[Env]


class Run(Strict):
    envs: list[Env]


class Health(Strict):
    liveness: Annotated[str, StringConstraints(pattern="^/")]
    readiness: Annotated[str, StringConstraints(pattern="^/")]


class Scale(Strict):
    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=1)]


class Requests(Strict):
    cpu: Annotated[str, StringConstraints(pattern=r"^\d+m?$")]
    memory: Annotated[str, StringConstraints(pattern=r"^\d+Mi$")]


class Limits(Strict):
    memory: Annotated[str, StringConstraints(pattern=r"^\d+Mi$")]
    concurrency: Annotated[int, Field(ge=1)]


class Resources(Strict):
    requests: Requests
    limits: Limits


class Options(Strict):
    scale: Scale
    resources: Resources


class Deploy(Strict):
    namespace: Dns
    health_endpoints: Health
    labels: list[Pair] = []
    options: Options


class FuncYaml(Strict):
    spec_version: Literal["0.36.0"]
    name: Dns
    runtime: Literal["python"]
    created: datetime
    invoke: Literal["cloudevent", "http"]
    build: Build
    run: Run
    deploy: Deploy
