package governance.rules.approval_test

import data.governance.facts_test
import data.governance.rules.approval

rule := {
	"name": "production",
	"node": "radiology",
	"environments": ["production"],
	"kinds": ["apps/deployments"],
	"above": {"requests.cpu": 5999, "pods": 100},
	"overrun": false,
	"require": [{"group": "capacity-board", "minimum": 2, "deny_minimum": 1}],
}

ruled(changes) := facts_test.added("/approval_rules/0", object.union(rule, changes))

over(document) := json.patch(document, [{"op": "replace", "path": "/quota/1/limit", "value": 5999}])

frozen(document) := json.patch(document, [{"op": "add", "path": "/freezes/0", "value": {
	"calendar": "winter",
	"summary": "",
	"environments": [],
	"ends_at_s": 1795003600,
}}])

of_department(name, node) := {"rule": name, "group": node, "minimum": 1, "deny_minimum": 1}

of_board := {"rule": "production", "group": "capacity-board", "minimum": 2, "deny_minimum": 1}

test_a_rule_that_matches_asks_for_its_people if {
	every changes in [{}, {"environments": []}, {"kinds": []}] {
		approval.findings == {{"code": "approval", "rule": "production", "node": "radiology"}} with input as ruled(changes)
		approval.needs == {of_board} with input as ruled(changes)
		approval.checks == {"approval"} with input as ruled(changes)
	}
}

test_a_rule_without_a_size_matches_every_size if {
	document := json.patch(ruled({}), [{"op": "replace", "path": "/approval_rules/0/above", "value": {}}])
	count(approval.findings) == 1 with input as document
}

test_a_rule_for_something_else_does_not_match if {
	every changes in [
		{"environments": ["staging"]},
		{"kinds": ["core/pods"]},
		{"above": {"requests.cpu": 6000}},
		{"overrun": true},
	] {
		count(approval.findings) == 0 with input as ruled(changes)
		count(approval.needs) == 0 with input as ruled(changes)
	}
}

test_a_rule_for_overruns_matches_an_overrun if {
	count(approval.findings) == 1 with input as over(ruled({"overrun": true}))
	approval.needs == {of_board} with input as over(ruled({"overrun": true}))
}

test_an_overrun_that_no_rule_covers_needs_an_approver_of_the_node if {
	need := of_department("headroom", "approver@radiology")
	approval.needs == {need} with input as over(facts_test.sample)
	approval.needs == {need, of_board} with input as over(ruled({}))
	count(approval.findings) == 0 with input as over(facts_test.sample)
}

test_a_freeze_that_nobody_else_answers_needs_an_approver_of_the_department if {
	approval.needs == {of_department("freeze", "approver@radiology")} with input as frozen(facts_test.sample)
	approval.needs == {of_board} with input as frozen(ruled({}))
	approval.needs == {of_department("headroom", "approver@radiology")} with input as over(frozen(facts_test.sample))
}

test_a_grant_answers_the_rule_and_not_the_question_who_approves if {
	document := object.union(ruled({}), {"grant": facts_test.grant(["approval"], [])})
	count(approval.findings) == 0 with input as document
	approval.needs == {of_board} with input as document
}
