"""What a cluster is given: every manifest says what it means, and a misspelt word anywhere in it is found."""

import copy
import json
import os
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft4Validator, Draft202012Validator
from wiring.conftest import FUNCTIONS, ROOT
from wiring.test_functions import BUDGET

from devkit import manifests

DOCUMENTS = list(manifests.documents())
CLUSTER = ROOT / "config" / "cluster"
SCHEMAS = os.environ.get("PARLEY_SCHEMAS")  # a folder with the published schemas: the strict models stand in for them


def keys_of(said, at=()):
    """Give the path to every key."""
    if isinstance(said, dict):
        for key, value in said.items():
            yield (*at, key)
            yield from keys_of(value, (*at, key))
    if isinstance(said, list):
        for number, value in enumerate(said):
            yield from keys_of(value, (*at, number))


def misspelt(said, path):
    """Give the same document with two letters of one key exchanged, or one doubled."""
    said = copy.deepcopy(said)
    holder = said
    for part in path[:-1]:
        holder = holder[part]
    key = path[-1]
    wrong = key[0] + key[2] + key[1] + key[3:] if len(key) > 2 and key[1] != key[2] else key + key[-1]
    renamed = {wrong if name == key else name: value for name, value in holder.items()}
    holder.clear()
    holder.update(renamed)
    return said


def test_every_manifest_is_as_it_should_be():
    assert manifests.problems() == []
    assert len(DOCUMENTS) > 80


def test_a_misspelt_field_anywhere_is_found():
    """Each key of each manifest in turn, down to settings, labels and the attributes of filters."""
    missed = [
        (where, path)
        for where, said, check in DOCUMENTS
        for path in keys_of(said)
        if not refuses(check, misspelt(said, path))
    ]
    assert missed == []


def refuses(check, said):
    try:
        check(said)
    except ValueError:
        return True
    return False


def test_a_kind_that_nobody_knows_is_found():
    (check,) = {check for where, said, check in DOCUMENTS if where == "config/cluster/base/namespace.yaml"}
    with pytest.raises(ValueError, match="no model of it"):
        check({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "parley"}})


def test_the_wiring_is_part_of_production_as_a_whole():
    wired = yaml.safe_load((ROOT / "triggers" / "Kustomization").read_text(encoding="utf-8"))["resources"]
    assert wired == sorted(path.name for path in (ROOT / "triggers").glob("*.yaml"))


@pytest.mark.parametrize("name", [*FUNCTIONS, "parley"])
def test_each_function_has_what_func_yaml_cannot_say(name):
    """One patch: each change of a Service is another revision."""
    said = yaml.safe_load((CLUSTER / "serving" / f"{name}.yaml").read_text(encoding="utf-8"))
    paths = [one["path"].rsplit("/", 1)[-1] for one in said]
    assert len(set(paths)) == len(paths)
    assert {"timeoutSeconds", "automountServiceAccountToken", "readOnlyRootFilesystem"} <= set(paths)


def test_no_patch_is_for_nobody():
    assert {path.stem for path in (CLUSTER / "serving").glob("*.yaml")} == {*FUNCTIONS, "parley"}


def allowed(policy):
    """Give the Services that a policy of production is for."""
    said = yaml.safe_load_all((CLUSTER / "production" / "network.yaml").read_text(encoding="utf-8"))
    (one,) = [one for one in said if one["metadata"]["name"] == policy]
    (expression,) = one["spec"]["podSelector"]["matchExpressions"]
    return set(expression["values"])


def test_who_is_given_a_database_may_reach_it_and_nobody_else(func_yaml):
    given = {
        name
        for name in FUNCTIONS
        if any(env["name"] == "DATABASE_URL" for env in func_yaml(ROOT / "functions" / name)["run"]["envs"])
    }
    assert allowed("to-database") == given


def test_who_is_given_a_token_of_slack_may_reach_it(func_yaml):
    """Or what opens the tokens of many workspaces."""
    given = {
        name
        for name in FUNCTIONS
        if any(env["name"] == "SLACK_TOKEN_KEY" for env in func_yaml(ROOT / "functions" / name)["run"]["envs"])
    }
    assert {"agent-turn", "recover", "deliver-slack"} <= given <= allowed("to-internet")


def test_who_publishes_may_reach_the_broker_and_nobody_else(wiring):
    assert allowed("to-broker") == wiring.bound


def test_who_may_publish_what_is_who_publishes(wiring):
    said = list(yaml.safe_load_all((CLUSTER / "production" / "event-policies.yaml").read_text(encoding="utf-8")))
    assert {one["metadata"]["name"] for one in said} == wiring.bound
    assert all(one["spec"]["from"][0]["ref"]["name"] == one["metadata"]["name"] for one in said)


def test_who_may_call_the_internet_cannot_call_what_is_inside():
    """Neither a cloud's metadata nor neighbours nor the cluster itself."""
    for one in yaml.safe_load_all((CLUSTER / "production" / "network.yaml").read_text(encoding="utf-8")):
        for rule in one["spec"]["egress"]:
            for peer in rule["to"]:
                if "ipBlock" in peer:
                    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(
                        peer["ipBlock"]["except"]
                    )


def test_the_example_of_a_database_has_room_for_all_functions():
    """At their largest, together, with what the operator and people take."""
    said = yaml.safe_load_all((CLUSTER / "examples" / "postgres.yaml").read_text(encoding="utf-8"))
    (cluster,) = [one for one in said if one["kind"] == "Cluster"]
    assert int(cluster["spec"]["postgresql"]["parameters"]["max_connections"]) >= BUDGET + 20


class Network:
    """Who may call whom in production, as Kubernetes reads NetworkPolicies: what one allows, is allowed."""

    def __init__(self):
        files = [path for folder in ("base", "production") for path in (CLUSTER / folder).glob("*.yaml")]
        said = [one for path in files for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
        self.policies = [one["spec"] for one in said if one["kind"] == "NetworkPolicy"]

    def isolated(self, pod, way):
        """Whether a pod may do nothing by itself."""
        return any(way in one["policyTypes"] and selects(one["podSelector"], pod) for one in self.policies)

    def may_call(self, function, peer, port, protocol="TCP"):
        return self._allowed("Egress", "egress", "to", function, peer, (protocol, port))

    def may_be_called(self, function, peer, port=8012):
        return self._allowed("Ingress", "ingress", "from", function, peer, ("TCP", port))

    def _allowed(self, way, rules, side, function, peer, port):
        pod = {"serving.knative.dev/service": function}
        assert self.isolated(pod, way)
        return any(
            any(reaches(one, peer) for one in rule.get(side, [{}]))
            and port
            in [(one["protocol"], one["port"]) for one in rule.get("ports", [])] + [port] * ("ports" not in rule)
            for policy in self.policies
            if selects(policy["podSelector"], pod)
            for rule in policy.get(rules, [])
        )


def selects(selector, labels):
    """Whether a selector means what has these labels; an empty one means everything."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        one["key"] in labels if one["operator"] == "Exists" else labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
    )


def reaches(rule, peer):
    """Whether a peer is meant: an address, or a pod's namespace and labels."""
    if isinstance(peer, str):
        block = rule.get("ipBlock", {"cidr": "255.255.255.255/32"})
        inside = [ip_address(peer) in ip_network(one) for one in (block["cidr"], *block.get("except", []))]
        return inside[0] and not any(inside[1:])
    namespace, labels = peer
    named = {"kubernetes.io/metadata.name": namespace}
    there = selects(rule["namespaceSelector"], named) if "namespaceSelector" in rule else namespace == "parley"
    return "ipBlock" not in rule and there and selects(rule.get("podSelector", {}), labels)


DATABASE, POOLER = ("parley", {"cnpg.io/cluster": "parley-db"}), ("parley", {"cnpg.io/poolerName": "parley-db-pooler"})
GATEWAY, ACTIVATOR, EVENTING = (
    ("kourier-system", {}),
    ("knative-serving", {"app": "activator"}),
    ("knative-eventing", {}),
)
COLLECTOR, MODEL, NAMES, ELSEWHERE = ("observability", {}), ("llama-stack", {}), ("kube-system", {}), ("default", {})
INTERNET, METADATA = "93.184.216.34", "169.254.169.254"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_may_do_what_it_needs(name):
    network = Network()
    assert all(network.may_call(name, where, port, protocol) for where, port, protocol in [
        (NAMES, 53, "UDP"), (NAMES, 53, "TCP"), (COLLECTOR, 4318, "TCP"), (DATABASE, 5432, "TCP"),
        (POOLER, 5432, "TCP"),
    ])  # fmt: skip
    # The gateway and the activator bring requests, the autoscaler reads how many there are, Eventing brings events.
    assert all(network.may_be_called(name, who) for who in (GATEWAY, ACTIVATOR, EVENTING))
    assert network.may_be_called(name, ("knative-serving", {"app": "autoscaler"}), 9090)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_may_do_more(name):
    """Neither call what is inside, nor be called by anybody but Knative."""
    network = Network()
    assert not any(network.may_call(name, where, port) for where, port in [
        (ELSEWHERE, 443), (ELSEWHERE, 80), (METADATA, 80), (METADATA, 443), ("10.1.2.3", 443), (INTERNET, 80),
        (DATABASE, 443), (NAMES, 443), (("parley", {"serving.knative.dev/service": "recover"}), 8012),
    ])  # fmt: skip
    assert not any(
        network.may_be_called(name, who) for who in (ELSEWHERE, COLLECTOR, DATABASE, ("parley", {}), INTERNET)
    )


def test_who_calls_providers_may():
    network = Network()

    def those(where, *ports):
        return {name for name in FUNCTIONS if any(network.may_call(name, where, port) for port in ports)}

    assert those(INTERNET, 465, 587) == {"deliver-email"}
    assert set(FUNCTIONS) - those(INTERNET, 443) == {"deliver-test", "mcp-service-desk"}
    assert those(MODEL, 8321) == those(GATEWAY, 8081) == {"agent-turn"}
    assert those(EVENTING, 8080) == {"agent-turn", "recover", "request-api", "slack-ingest"}


@pytest.mark.parametrize(
    "pod", [DATABASE[1], POOLER[1], {"app.kubernetes.io/name": "parley-migrate"}, {"run": "admin-key"}]
)
def test_what_is_no_function_is_left_alone(pod):
    """A policy that means all pods would cut the database off from its replicas, and migrations from the database."""
    assert not any(Network().isolated(pod, way) for way in ("Ingress", "Egress"))


def crds():
    for path in Path(SCHEMAS).glob("*.yaml"):
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for version in one["spec"]["versions"]:
                api = f"{one['spec']['group']}/{version['name']}"
                yield (api, one["spec"]["names"]["kind"]), version["schema"]["openAPIV3Schema"]


def test_what_has_a_published_schema_fits_it():
    if not SCHEMAS:
        return
    schemas, tried = dict(crds()), set()
    for where, said, _ in DOCUMENTS:
        if isinstance(said, dict) and (schema := schemas.get((said.get("apiVersion"), said.get("kind")))):
            assert [error.message for error in Draft202012Validator(schema).iter_errors(said)] == [], where
            tried.add(said["kind"])
        if where.endswith("func.yaml"):
            schema = json.loads((Path(SCHEMAS) / "func_yaml-schema.json").read_text(encoding="utf-8"))
            values = json.loads(json.dumps(said, default=str))  # YAML's dates are text in JSON
            assert [error.message for error in Draft4Validator(schema).iter_errors(values)] == [], where
    assert tried == {"Broker", "Trigger", "PingSource", "SinkBinding", "EventType"}


def test_a_patched_service_fits_servings_schema():
    """As func makes it, with each function's patch."""
    if not SCHEMAS:
        return
    schema = dict(crds())["serving.knative.dev/v1", "Service"]
    for path in (CLUSTER / "serving").glob("*.yaml"):
        patched = {
            "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": path.stem},
            "spec": {"template": {"metadata": {"annotations": {}}, "spec": {"containers": [
                {"image": "example.org/x", "securityContext": {"runAsNonRoot": True}}
            ]}}},
        }  # fmt: skip
        for one in yaml.safe_load(path.read_text(encoding="utf-8")):
            *way, last = [part.replace("~1", "/") for part in one["path"].split("/")[1:]]
            holder = patched
            for part in way:
                holder = holder[int(part) if isinstance(holder, list) else part]
            holder[last] = one["value"]
        strict = closed(schema)
        assert [error.message for error in Draft202012Validator(strict).iter_errors(patched)] == [], path.name


def closed(schema):
    """Give the same schema without room for unknown fields: a cluster drops them without a word."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and schema["properties"]:
        inner.setdefault("additionalProperties", False)
    return inner
