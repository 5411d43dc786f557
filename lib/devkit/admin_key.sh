#!/bin/sh
# The first admin key, by one command: `make admin-key EMAIL=you@example.org` for the database of DATABASE_URL, else of
# `make run`; with CLUSTER=1 for the one of the cluster, by the image of request-api that runs there
# (FN=parley: of all functions as one).
set -eu
email=$1
namespace=${NAMESPACE:-parley}

if [ -z "${CLUSTER:-}" ]; then
    exec env PYTHONPATH=lib .venv/bin/python -m standalone.here parley.api.keys create --email "$email" --role admin --name first
fi

kubectl=${KUBECTL:-kubectl}
image=$($kubectl -n "$namespace" get ksvc "${FN:-request-api}" -o 'jsonpath={.spec.template.spec.containers[0].image}')
case $email in *[!A-Za-z0-9.@_+-]*) echo "admin-key: EMAIL is no plain address" >&2; exit 2 ;; esac
# The launcher is the buildpack's: it finds Python and the packages of the image. s2i's images need none.
overrides=$(cat <<JSON
{"spec": {"containers": [{"name": "admin-key", "image": "$image",
  "command": ["/bin/sh", "-c", "if [ -x /cnb/lifecycle/launcher ]; then exec /cnb/lifecycle/launcher \"\$0\" \"\$@\"; fi; exec \"\$0\" \"\$@\""],
  "args": ["python", "-m", "parley.api.keys", "create", "--email", "$email", "--role", "admin", "--name", "first"],
  "env": [{"name": "PYTHONPATH", "value": "lib"}, {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "parley-database", "key": "url"}}}],
  "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true}}]}}
JSON
)
exec $kubectl -n "$namespace" run admin-key --rm --attach --quiet --restart=Never --image="$image" --overrides="$overrides"
