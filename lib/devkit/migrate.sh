#!/bin/sh
# `make migrate`: the database of DATABASE_URL, else of `make run`, to its newest schema. With CLUSTER=1 and REGISTRY=…, the cluster's, by a job
# with the image of FN (recover; parley, when all functions are one), of which TAG is the tag (latest).
set -eu
if [ -z "${CLUSTER:-}" ]; then
    # shellcheck disable=SC2086 # one word for each argument
    exec env PYTHONPATH=lib .venv/bin/python -m standalone.here parley.adapters.postgres.migrate ${ARGS:-}
fi
kubectl=${KUBECTL:-kubectl}
[ -n "${REGISTRY:-}" ] || { echo "migrate: REGISTRY is where images are, such as registry.example.org/parley" >&2; exit 2; }
case $REGISTRY${FN:-}${TAG:-} in *[!A-Za-z0-9._:/-]*) echo "migrate: no such image" >&2; exit 2 ;; esac
$kubectl -n parley delete job parley-migrate --ignore-not-found
sed "s#image: .*#image: $REGISTRY/${FN:-recover}:${TAG:-latest}#" config/cluster/migrate.yaml | $kubectl apply -f -
$kubectl -n parley wait --for=condition=complete --timeout=600s job/parley-migrate ||
    { $kubectl -n parley logs job/parley-migrate >&2; exit 1; }
$kubectl -n parley logs job/parley-migrate
