package governance.rules.headroom_test

import data.governance.facts_test
import data.governance.rules.headroom

test_the_last_unit_fits if {
	every limit in [6000, null] {
		document := facts_test.changed("/quota/0/limit", limit)
		count(headroom.findings) == 0 with input as document
		headroom.checks == {"headroom"} with input as document
	}
}

test_one_unit_more_does_not if {
	headroom.findings == {{
		"code": "headroom",
		"node": "radiology",
		"resource": "requests.cpu",
		"requested": 2000,
		"used": 4000,
		"limit": 5999,
		"rule": "compute",
	}} with input as facts_test.changed("/quota/1/limit", 5999)
}

test_a_node_that_nothing_rises_at_may_be_over if {
	over := object.union(facts_test.row("radiology", "department", 1), {"increase": 0})
	count(headroom.findings) == 0 with input as facts_test.changed("/quota/1", over)
}

granted(waives, amount, node) := object.union(facts_test.changed("/quota/1/limit", 5990), {"grant": facts_test.grant(
	waives,
	[{"node": node, "resource": "requests.cpu", "amount": amount}],
)})

test_an_allowance_covers_exactly_what_it_grants if {
	count(headroom.findings) == 0 with input as granted(["headroom"], 10, "radiology")
	every document in [
		json.patch(granted(["headroom"], 10, "radiology"), [{
			"op": "replace",
			"path": "/grant/allowances/0/resource",
			"value": "pods",
		}]),
		granted(["headroom"], 9, "radiology"),
		granted(["headroom"], 10, "hospital"),
		granted(["approval"], 10, "radiology"),
	] {
		count(headroom.findings) == 1 with input as document
	}
}

test_amounts_near_the_end_of_64_bits_are_exact if {
	huge := object.union(facts_test.row("radiology", "department", 9223372036854775806), {"used": 9223372036854773807})
	count(headroom.findings) == 1 with input as facts_test.changed("/quota/1", huge)
	fits := object.union(huge, {"limit": 9223372036854775807})
	count(headroom.findings) == 0 with input as facts_test.changed("/quota/1", fits)
}

test_nothing_rises_and_nothing_is_asked if {
	document := json.patch(facts_test.changed("/quota", []), [{"op": "replace", "path": "/increase", "value": {}}])
	headroom.checks == {"headroom"} with input as document
	headroom.checks == {"headroom"} with input as facts_test.added("/increase/pods", 0)
}
