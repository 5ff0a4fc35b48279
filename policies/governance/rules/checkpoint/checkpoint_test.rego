package governance.rules.checkpoint_test

import data.governance.facts_test
import data.governance.rules.checkpoint

image := "registry.example/app@sha256:aa"

asked(result, until_s) := {
	"image": image,
	"digest": "sha256:aa",
	"type": "vuln-scan",
	"node": "radiology",
	"result": result,
	"at_s": 1794000000,
	"until_s": until_s,
}

with_one(one) := facts_test.added("/checkpoints/0", one)

reasons contains finding.reason if some finding in checkpoint.findings

test_a_pass_that_holds_is_enough if {
	document := with_one(asked("pass", 1795000001))
	count(checkpoint.findings) == 0 with input as document
	checkpoint.checks == {"checkpoint"} with input as document
}

test_where_nothing_is_required_nothing_is_found if {
	count(checkpoint.findings) == 0 with input as facts_test.sample
	checkpoint.checks == {"checkpoint"} with input as facts_test.sample
}

test_what_has_not_passed_is_told if {
	checkpoint.findings == {{
		"code": "checkpoint",
		"image": image,
		"type": "vuln-scan",
		"node": "radiology",
		"reason": "failed",
		"at_s": 1794000000,
		"until_s": 1795000001,
	}} with input as with_one(asked("fail", 1795000001))
	reasons == {"missing"} with input as with_one(asked("", 0))
	reasons == {"expired"} with input as with_one(asked("pass", 1795000000))
}

test_a_tag_alone_has_passed_nothing if {
	one := object.union(asked("pass", 1795000001), {"digest": "", "image": "registry.example/app:1"})
	reasons == {"no-digest"} with input as with_one(one)
}

test_a_grant_answers_it if {
	document := object.union(with_one(asked("", 0)), {"grant": facts_test.grant(["checkpoint"], [])})
	count(checkpoint.findings) == 0 with input as document
	other := object.union(with_one(asked("", 0)), {"grant": facts_test.grant(["approval"], [])})
	count(checkpoint.findings) == 1 with input as other
}

test_malformed_facts_are_no_check if {
	one := asked("pass", 1795000001)
	every document in [
		{},
		facts_test.without("/checkpoints"),
		facts_test.changed("/checkpoints", {}),
		facts_test.changed("/time_s", "now"),
		facts_test.changed("/grant", {}),
		with_one({}),
		with_one(object.union(one, {"image": ""})),
		with_one(object.union(one, {"digest": null})),
		with_one(object.union(one, {"type": ""})),
		with_one(object.union(one, {"node": 1})),
		with_one(object.union(one, {"result": "ok"})),
		with_one(object.union(one, {"at_s": -1})),
		with_one(object.union(one, {"until_s": "later"})),
	] {
		count(checkpoint.checks) == 0 with input as document
	}
}
