pods true ml/a
nodes true /n1
services true
configmaps true
deployments.apps true
event ml/e1
log ml/a/main false "2026-11-26T11:58:00Z I am main or sidecar\n"
unseen events of nodes: events is forbidden: User "x" cannot list resource "events" in the namespace "default"
