package governance.rules.checkpoint_missing_test

import data.governance.checkpoints_test
import data.governance.facts_test
import data.governance.rules.checkpoint_missing

asked := checkpoints_test.asked(checkpoints_test.nothing)

finding := object.union(
	{
		"code": "checkpoint-missing",
		"image": "registry.example/viewer@sha256:4f53",
		"type": "vuln-scan",
		"node": "radiology",
	},
	{"digest": "sha256:4f53"},
)

test_it_is_found if {
	checkpoint_missing.findings == {finding} with input as asked
	checkpoint_missing.checks == {"checkpoint-missing"} with input as asked
	checkpoint_missing.needs == {{
		"rule": "checkpoint-missing",
		"group": "approver@radiology",
		"minimum": 1,
		"deny_minimum": 1,
	}} with input as asked
}

test_a_pass_that_holds_is_not if {
	document := checkpoints_test.asked({"valid_until_s": 1795000001})
	count(checkpoint_missing.findings) == 0 with input as document
	count(checkpoint_missing.needs) == 0 with input as document
	checkpoint_missing.checks == {"checkpoint-missing"} with input as document
}

test_a_grant_of_it_answers_it if {
	document := object.union(asked, {"grant": facts_test.grant(["checkpoint-missing"], [])})
	count(checkpoint_missing.findings) == 0 with input as document
	other := object.union(asked, {"grant": facts_test.grant(["freeze"], [])})
	count(checkpoint_missing.findings) == 1 with input as other
}

test_malformed_facts_are_no_check if {
	count(checkpoint_missing.checks) == 0 with input as facts_test.without("/checkpoints")
}
