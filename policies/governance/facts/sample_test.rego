package governance.facts_test

# A scale of a viewer from 4 to 6 CPU, with room at each node, that no rule minds.
sample := {
	"version": 1,
	"time_s": 1795000000,
	"request": {
		"door": "kubernetes",
		"operation": "UPDATE",
		"kind": "apps/deployments",
		"subresource": "scale",
		"namespace": "imaging",
		"name": "viewer",
		"actor": "okafor",
		"dry_run": false,
		"new_template": false,
		"images": [],
	},
	"project": {
		"name": "imaging",
		"department": "radiology",
		"environment": "production",
		"labels": {"workload-class": "clinical"},
	},
	"cluster": {"name": "main", "labels": {"location": "on-premises"}},
	"increase": {"requests.cpu": 2000},
	"level": {"requests.cpu": 6000},
	"quota": [
		row("radiology/imaging", "project", 10000),
		row("radiology", "department", 20000),
		row("hospital", "department", null),
	],
	"approval_rules": [],
	"freezes": [],
	"budgets": [],
	"checkpoints": [],
	"grant": null,
}

row(node, kind, limit) := {
	"node": node,
	"kind": kind,
	"resource": "requests.cpu",
	"increase": 2000,
	"used": 4000,
	"limit": limit,
	"rule": "compute",
}

checkpoint(changes) := object.union(
	{
		"image": "registry.example/viewer@sha256:4f53",
		"digest": "sha256:4f53",
		"type": "vuln-scan",
		"node": "radiology",
		"result": "pass",
		"at_s": 1794999000,
		"valid_until_s": null,
	},
	changes,
)

grant(waives, allowances) := {"change": "CH-1042", "waives": waives, "allowances": allowances}

# The sample with one value replaced, added or removed, by its path.
changed(path, value) := json.patch(sample, [{"op": "replace", "path": path, "value": value}])

added(path, value) := json.patch(sample, [{"op": "add", "path": path, "value": value}])

without(path) := json.patch(sample, [{"op": "remove", "path": path}])
