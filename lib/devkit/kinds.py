"""
Strict models of the kinds of Kubernetes and Knative that this project uses, in exactly the form that it uses.

Those of `triggers/` are the local broker's own, in `standalone.manifests`.
"""

from typing import Annotated, Literal

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic.alias_generators import to_camel

from standalone import manifests as wiring

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=r"^\d+(m|Mi|Gi)?$")]
Number = Annotated[str, StringConstraints(pattern=r"^\d+$")]  # a number as text
Text = Annotated[str, StringConstraints(min_length=1)]
Cidr = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]


class Strict(BaseModel):
    """No unknown field, no conversion; names as Kubernetes writes them."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=AliasGenerator(to_camel))


Label = Literal[
    "app.kubernetes.io/name",
    "cnpg.io/cluster",
    "cnpg.io/poolerName",
    "kubernetes.io/metadata.name",
    "pod-security.kubernetes.io/enforce",
    "pod-security.kubernetes.io/warn",
    "serving.knative.dev/service",
    "strimzi.io/cluster",
]
Labels = dict[Label, Text]


class ClusterWide(Strict):
    """Metadata of what belongs to no namespace."""

    name: Name
    labels: Labels | None = None


class Metadata(ClusterWide):
    """Metadata of everything else."""

    namespace: Literal["parley", "kafka"]


class Object(Strict):
    """What most kinds have."""

    metadata: Metadata


class Namespace(Strict):
    """A namespace."""

    api_version: Literal["v1"]
    kind: Literal["Namespace"]
    metadata: ClusterWide


class ConfigMap(Object):
    """Settings: their keys are checked by `settings`, since they are those that somebody refers to."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    data: dict[str, str]


class Secret(Object):
    """A template: its keys are checked by `settings`, and each value is empty."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    string_data: dict[str, Literal[""]]


class Expression(Strict):
    """One condition on a label."""

    key: Label
    operator: Literal["In", "Exists"]
    values: list[Text] | None = None


class Selector(Strict):
    """Which pods, or which namespaces."""

    match_labels: Labels | None = None
    match_expressions: list[Expression] | None = None


class IpBlock(Strict):
    """Addresses."""

    cidr: Cidr
    except_: list[Cidr] | None = Field(default=None, alias="except")


class Peer(Strict):
    """Who is at the other end."""

    namespace_selector: Selector | None = None
    pod_selector: Selector | None = None
    ip_block: IpBlock | None = None


class NetworkPort(Strict):
    """A port that may be called."""

    protocol: Literal["TCP", "UDP"]
    port: Annotated[int, Field(ge=1, le=65535)]


class Ingress(Strict):
    """Who may call."""

    from_: list[Peer] = Field(alias="from")


class Egress(Strict):
    """Who may be called; empty: anybody."""

    to: list[Peer] | None = None
    ports: list[NetworkPort] | None = None


class NetworkPolicySpec(Strict):
    """Which pods, and what they may."""

    pod_selector: Selector
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[Ingress] | None = None
    egress: list[Egress] | None = None


class NetworkPolicy(Object):
    """Who may call whom."""

    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    spec: NetworkPolicySpec


class PodDisruptionBudgetSpec(Strict):
    """How many of which pods may be away."""

    max_unavailable: Literal[1]
    selector: Selector


class PodDisruptionBudget(Object):
    """What a drained node must respect."""

    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    spec: PodDisruptionBudgetSpec


class Amounts(Strict):
    """Processor and memory."""

    cpu: Quantity | None = None
    memory: Quantity


class Resources(Strict):
    """What is surely there, and what cannot be exceeded."""

    requests: Amounts
    limits: Amounts


class SecretKey(Strict):
    """One value of a Secret."""

    name: Name
    key: Text


class FromSecret(Strict):
    """Where a variable comes from."""

    secret_key_ref: SecretKey


class Variable(Strict):
    """A variable of a container."""

    name: Text
    value: Text | None = None
    value_from: FromSecret | None = None


class Dropped(Strict):
    """No capability at all."""

    drop: list[Literal["ALL"]]


class ContainerSecurity(Strict):
    """What a container must not."""

    allow_privilege_escalation: Literal[False]
    read_only_root_filesystem: Literal[True]
    capabilities: Dropped


class Seccomp(Strict):
    """Which system calls."""

    type: Literal["RuntimeDefault"]


class PodSecurity(Strict):
    """Who a pod is."""

    run_as_non_root: Literal[True]
    seccomp_profile: Seccomp


class Container(Strict):
    """A container of a pod of ours."""

    name: Name
    image: Text
    command: list[str]
    args: list[str]
    env: list[Variable]
    resources: Resources
    security_context: ContainerSecurity


class PodSpec(Strict):
    """A pod of ours."""

    restart_policy: Literal["Never"]
    automount_service_account_token: Literal[False]
    security_context: PodSecurity
    containers: list[Container]


class PodMetadata(Strict):
    """How a pod is found."""

    labels: Labels


class PodTemplate(Strict):
    """The pod of a job."""

    metadata: PodMetadata
    spec: PodSpec


class JobSpec(Strict):
    """How often and how long."""

    backoff_limit: int
    active_deadline_seconds: int
    ttl_seconds_after_finished: int
    template: PodTemplate


class Job(Object):
    """Something that ends."""

    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    spec: JobSpec


class EventAttribute(Strict):
    """An attribute of an event type."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
    required: bool
    value: Text


class EventTypeSpec(Strict):
    """What an event is like, and where it is to be had."""

    reference: wiring.BrokerRef
    description: Text
    attributes: list[EventAttribute]


class EventType(Object):
    """A registered event type."""

    api_version: Literal["eventing.knative.dev/v1beta3"]
    kind: Literal["EventType"]
    spec: EventTypeSpec


class ToBroker(Strict):
    """What a policy is about."""

    ref: wiring.BrokerRef


class BindingRef(Strict):
    """Whose identity publishes."""

    api_version: Literal["sources.knative.dev/v1"]
    kind: Literal["SinkBinding"]
    name: Name
    namespace: Literal["parley"]


class FromBinding(Strict):
    """Who may publish."""

    ref: BindingRef


class EventPolicySpec(Strict):
    """Who may publish what to whom."""

    to: list[ToBroker]
    from_: list[FromBinding] = Field(alias="from")
    filters: list[wiring.FilterSpec]


class EventPolicy(Object):
    """A permission to publish."""

    api_version: Literal["eventing.knative.dev/v1alpha1"]
    kind: Literal["EventPolicy"]
    spec: EventPolicySpec


class ToWake(Strict):
    """A function's door for being woken."""

    ref: wiring.ServiceRef
    uri: Literal["/wake"]


class Once(Strict):
    """Tried once, and nobody is told when it fails."""

    retry: Literal[0]
    timeout: wiring.Duration


class WakeSpec(Strict):
    """Who is woken by what."""

    broker: Literal["parley"]
    filters: list[wiring.FilterSpec]
    subscriber: ToWake
    delivery: Once


class WakeTrigger(Object):
    """A Trigger of whose events nothing is owed: the one kind without a sink for what fails."""

    api_version: Literal["eventing.knative.dev/v1"]
    kind: Literal["Trigger"]
    spec: WakeSpec


class ClaimSpec(Strict):
    """Whose name it is."""

    namespace: Literal["parley"]


class ClusterDomainClaim(Strict):
    """A name that a namespace may use."""

    api_version: Literal["networking.internal.knative.dev/v1alpha1"]
    kind: Literal["ClusterDomainClaim"]
    metadata: ClusterWide
    spec: ClaimSpec


class DomainMappingSpec(Strict):
    """Which Service answers."""

    ref: wiring.ServiceRef


class DomainMapping(Object):
    """A name for a Service."""

    api_version: Literal["serving.knative.dev/v1beta1"]
    kind: Literal["DomainMapping"]
    spec: DomainMappingSpec


class Kustomization(Strict):
    """A list of what belongs together."""

    api_version: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    resources: list[Text]


_TEMPLATE = "/spec/template"
_SCALING = f"{_TEMPLATE}/metadata/annotations/autoscaling.knative.dev~1"


class Period(Strict):
    """An annotation that is a time."""

    op: Literal["add"]
    path: Literal[f"{_SCALING}scale-to-zero-pod-retention-period"]  # type: ignore[valid-type]
    value: Annotated[str, StringConstraints(pattern=r"^\d+[sm]$")]


class Count(Strict):
    """An annotation that is a number."""

    op: Literal["add"]
    path: Literal[f"{_SCALING}initial-scale", f"{_SCALING}min-scale"]  # type: ignore[valid-type]
    value: Number


class Limit(Strict):
    """How long a request may take; 600 s is Serving's own limit."""

    op: Literal["add"]
    path: Literal[f"{_TEMPLATE}/spec/timeoutSeconds", f"{_TEMPLATE}/spec/responseStartTimeoutSeconds"]  # type: ignore[valid-type]
    value: Annotated[int, Field(ge=1, le=600)]


class Off(Strict):
    """What no function needs."""

    op: Literal["add"]
    path: Literal[f"{_TEMPLATE}/spec/enableServiceLinks", f"{_TEMPLATE}/spec/automountServiceAccountToken"]  # type: ignore[valid-type]
    value: Literal[False]


class On(Strict):
    """What every function bears."""

    op: Literal["add"]
    path: Literal[f"{_TEMPLATE}/spec/containers/0/securityContext/readOnlyRootFilesystem"]  # type: ignore[valid-type]
    value: Literal[True]


Patch = TypeAdapter(list[Period | Count | Limit | Off | On])
