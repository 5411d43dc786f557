"""Strict models of what config/cluster/examples asks of two operators: Strimzi and CloudNativePG."""

from typing import Annotated, Literal

from pydantic import Field

from devkit.kinds import Name, Number, Object, Quantity, Resources, Strict, Text


class Disk(Strict):
    """A disk of a Kafka node."""

    id: int
    type: Literal["persistent-claim"]
    size: Quantity
    kraft_metadata: Literal["shared"]
    delete_claim: bool


class Disks(Strict):
    """The disks of a Kafka node."""

    type: Literal["jbod"]
    volumes: list[Disk]


class KafkaNodePoolSpec(Strict):
    """Kafka's nodes."""

    replicas: int
    roles: list[Literal["controller", "broker"]]
    storage: Disks
    resources: Resources


class KafkaNodePool(Object):
    """Nodes of a Kafka."""

    api_version: Literal["kafka.strimzi.io/v1"]
    kind: Literal["KafkaNodePool"]
    spec: KafkaNodePoolSpec


class Scram(Strict):
    """By name and password."""

    type: Literal["scram-sha-512"]


class Listener(Strict):
    """A door of Kafka's."""

    name: Name
    port: int
    type: Literal["internal"]
    tls: Literal[True]
    authentication: Scram


class Simple(Strict):
    """By lists of who may what."""

    type: Literal["simple"]


class KafkaSettings(Strict):
    """server.properties."""

    default_replication_factor: int = Field(alias="default.replication.factor")
    min_insync_replicas: int = Field(alias="min.insync.replicas")
    offsets_topic_replication_factor: int = Field(alias="offsets.topic.replication.factor")
    transaction_state_log_replication_factor: int = Field(alias="transaction.state.log.replication.factor")
    transaction_state_log_min_isr: int = Field(alias="transaction.state.log.min.isr")
    auto_create_topics_enable: bool = Field(alias="auto.create.topics.enable")


class KafkaCluster(Strict):
    """Kafka itself."""

    listeners: list[Listener]
    authorization: Simple
    config: KafkaSettings


class Operator(Strict):
    """An operator with its own settings."""


class EntityOperator(Strict):
    """What makes users."""

    user_operator: Operator


class KafkaSpec(Strict):
    """Kafka, and what looks after its users."""

    kafka: KafkaCluster
    entity_operator: EntityOperator


class Kafka(Object):
    """A Kafka by Strimzi."""

    api_version: Literal["kafka.strimzi.io/v1"]
    kind: Literal["Kafka"]
    spec: KafkaSpec


class AclResource(Strict):
    """What is allowed something with."""

    type: Literal["topic", "group", "cluster"]
    name: Text | None = None
    pattern_type: Literal["prefix"] | None = None


class Acl(Strict):
    """What is allowed."""

    resource: AclResource
    operations: list[
        Literal["Create", "Delete", "Describe", "DescribeConfigs", "Alter", "AlterConfigs", "Read", "Write"]
    ]


class Acls(Simple):
    """Everything that is allowed."""

    acls: list[Acl]


class KafkaUserSpec(Strict):
    """Who, and what they may."""

    authentication: Scram
    authorization: Acls


class KafkaUser(Object):
    """A user of Kafka's."""

    api_version: Literal["kafka.strimzi.io/v1"]
    kind: Literal["KafkaUser"]
    spec: KafkaUserSpec


class Storage(Strict):
    """A database's disk."""

    size: Quantity


class PostgresParameters(Strict):
    """postgresql.conf."""

    max_connections: Number = Field(alias="max_connections")
    shared_buffers: Text = Field(alias="shared_buffers")


class PostgresSettings(Strict):
    """PostgreSQL's own settings."""

    parameters: PostgresParameters


class InitDb(Strict):
    """How an empty database begins."""

    database: Name
    owner: Name
    post_init_application_sql: list[Text] = Field(alias="postInitApplicationSQL")


class Bootstrap(Strict):
    """How a database begins."""

    initdb: InitDb


class PostgresSpec(Strict):
    """A PostgreSQL."""

    instances: Annotated[int, Field(ge=1)]
    image_name: Text
    primary_update_strategy: Literal["unsupervised"]
    storage: Storage
    resources: Resources
    postgresql: PostgresSettings
    bootstrap: Bootstrap


class Cluster(Object):
    """A PostgreSQL by CloudNativePG."""

    api_version: Literal["postgresql.cnpg.io/v1"]
    kind: Literal["Cluster"]
    spec: PostgresSpec


class ClusterName(Strict):
    """Whose pooler."""

    name: Name


class PgbouncerParameters(Strict):
    """pgbouncer.ini."""

    default_pool_size: Number = Field(alias="default_pool_size")
    max_client_conn: Number = Field(alias="max_client_conn")
    ignore_startup_parameters: Text = Field(alias="ignore_startup_parameters")


class Pgbouncer(Strict):
    """PgBouncer."""

    pool_mode: Literal["transaction"]
    parameters: PgbouncerParameters


class PoolerSpec(Strict):
    """How connections are shared."""

    cluster: ClusterName
    instances: int
    type: Literal["rw"]
    pgbouncer: Pgbouncer


class Pooler(Object):
    """PgBouncers by CloudNativePG."""

    api_version: Literal["postgresql.cnpg.io/v1"]
    kind: Literal["Pooler"]
    spec: PoolerSpec
