package governance.rules.checkpoint_failed_test

import data.governance.checkpoints_test
import data.governance.facts_test
import data.governance.rules.checkpoint_failed

asked := checkpoints_test.asked({"result": "fail", "valid_until_s": 1})

finding := object.union(
	{
		"code": "checkpoint-failed",
		"image": "registry.example/viewer@sha256:4f53",
		"type": "vuln-scan",
		"node": "radiology",
	},
	{"digest": "sha256:4f53", "at_s": 1794999000},
)

test_it_is_found if {
	checkpoint_failed.findings == {finding} with input as asked
	checkpoint_failed.checks == {"checkpoint-failed"} with input as asked
	checkpoint_failed.needs == {{
		"rule": "checkpoint-failed",
		"group": "approver@radiology",
		"minimum": 1,
		"deny_minimum": 1,
	}} with input as asked
}

test_a_pass_that_holds_is_not if {
	document := checkpoints_test.asked({"valid_until_s": 1795000001})
	count(checkpoint_failed.findings) == 0 with input as document
	count(checkpoint_failed.needs) == 0 with input as document
	checkpoint_failed.checks == {"checkpoint-failed"} with input as document
}

test_a_grant_of_it_answers_it if {
	document := object.union(asked, {"grant": facts_test.grant(["checkpoint-failed"], [])})
	count(checkpoint_failed.findings) == 0 with input as document
	other := object.union(asked, {"grant": facts_test.grant(["freeze"], [])})
	count(checkpoint_failed.findings) == 1 with input as other
}

test_malformed_facts_are_no_check if {
	count(checkpoint_failed.checks) == 0 with input as facts_test.without("/checkpoints")
}
