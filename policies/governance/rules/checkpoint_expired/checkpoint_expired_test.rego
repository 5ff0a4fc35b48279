package governance.rules.checkpoint_expired_test

import data.governance.checkpoints_test
import data.governance.facts_test
import data.governance.rules.checkpoint_expired

asked := checkpoints_test.asked({"valid_until_s": 1795000000})

finding := object.union(
	{
		"code": "checkpoint-expired",
		"image": "registry.example/viewer@sha256:4f53",
		"type": "vuln-scan",
		"node": "radiology",
	},
	{"digest": "sha256:4f53", "valid_until_s": 1795000000},
)

test_it_is_found if {
	checkpoint_expired.findings == {finding} with input as asked
	checkpoint_expired.checks == {"checkpoint-expired"} with input as asked
	checkpoint_expired.needs == {{
		"rule": "checkpoint-expired",
		"group": "approver@radiology",
		"minimum": 1,
		"deny_minimum": 1,
	}} with input as asked
}

test_a_pass_that_holds_is_not if {
	document := checkpoints_test.asked({"valid_until_s": 1795000001})
	count(checkpoint_expired.findings) == 0 with input as document
	count(checkpoint_expired.needs) == 0 with input as document
	checkpoint_expired.checks == {"checkpoint-expired"} with input as document
}

test_a_grant_of_it_answers_it if {
	document := object.union(asked, {"grant": facts_test.grant(["checkpoint-expired"], [])})
	count(checkpoint_expired.findings) == 0 with input as document
	other := object.union(asked, {"grant": facts_test.grant(["freeze"], [])})
	count(checkpoint_expired.findings) == 1 with input as other
}

test_malformed_facts_are_no_check if {
	count(checkpoint_expired.checks) == 0 with input as facts_test.without("/checkpoints")
}
