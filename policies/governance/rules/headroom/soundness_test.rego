package governance.rules.headroom_test

import data.governance.facts_test
import data.governance.rules.headroom

two_resources := json.patch(facts_test.sample, [
	{"op": "add", "path": "/increase/pods", "value": 1},
	{"op": "add", "path": "/quota/-", "value": object.union(row, {"node": "radiology/imaging", "kind": "project"})},
	{"op": "add", "path": "/quota/-", "value": row},
	{"op": "add", "path": "/quota/-", "value": object.union(row, {"node": "hospital"})},
])

row := object.union(facts_test.row("radiology", "department", 1), {"resource": "pods", "increase": 1, "used": 0})

test_every_resource_is_known_at_every_node if {
	headroom.checks == {"headroom"} with input as two_resources
	every place in ["/quota/3", "/quota/4", "/quota/5"] {
		document := json.patch(two_resources, [{"op": "remove", "path": place}])
		count(headroom.checks) == 0 with input as document
	}
}

test_unknown_usage_is_no_check if {
	every document in [
		{},
		facts_test.changed("/quota", []),
		facts_test.changed("/quota", {}),
		facts_test.changed("/quota", {"first": facts_test.sample.quota[0]}),
		facts_test.changed("/quota/1/node", ""),
		facts_test.changed("/quota/1/kind", "team"),
		facts_test.added("/increase/pods", -1),
		facts_test.changed("/quota/0/kind", "team"),
		facts_test.changed("/quota/0/kind", "department"),
		facts_test.changed("/quota/0/increase", 1),
		facts_test.changed("/quota/1/resource", "pods"),
		facts_test.changed("/quota/1", facts_test.sample.quota[0]),
		facts_test.changed("/quota/0/limit", "10000"),
		facts_test.changed("/quota/0/limit", -1),
		facts_test.without("/quota/0/limit"),
		facts_test.without("/quota/0/used"),
		facts_test.without("/quota/0/node"),
		facts_test.without("/quota/0/rule"),
		facts_test.changed("/quota/1/used", -1),
		facts_test.changed("/quota/1/increase", "1"),
		facts_test.added("/increase/pods", 1),
		facts_test.changed("/increase/requests.cpu", "2000"),
		facts_test.changed("/grant", {}),
	] {
		count(headroom.checks) == 0 with input as document
	}
}
