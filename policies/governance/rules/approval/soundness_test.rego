package governance.rules.approval_test

import data.governance.facts_test
import data.governance.rules.approval

test_a_malformed_rule_is_no_check if {
	every changes in [
		{"name": ""},
		{"node": null},
		{"environments": "production"},
		{"kinds": [1]},
		{"above": {"requests.cpu": "6000"}},
		{"above": null},
		{"overrun": "true"},
		{"require": []},
		{"require": {"first": rule.require[0]}},
		{"require": [{"group": "", "minimum": 1, "deny_minimum": 1}]},
		{"require": [{"group": "capacity-board", "minimum": 0, "deny_minimum": 1}]},
		{"require": [{"group": "capacity-board", "minimum": 1, "deny_minimum": 0}]},
		{"require": [{"group": "capacity-board", "minimum": 1}]},
		{"require": [{"group": "capacity-board", "minimum": "1", "deny_minimum": 1}]},
		{"require": [{"group": "capacity-board", "minimum": 1, "deny_minimum": 1.5}]},
	] {
		count(approval.checks) == 0 with input as ruled(changes)
	}
}

test_malformed_facts_are_no_check if {
	every document in [
		{},
		facts_test.without("/approval_rules"),
		facts_test.changed("/approval_rules", {}),
		facts_test.changed("/approval_rules", [{}]),
		facts_test.changed("/project/environment", ""),
		facts_test.changed("/project/department", ""),
		facts_test.without("/request/kind"),
		facts_test.changed("/level", []),
		facts_test.added("/level/pods", "1"),
		facts_test.changed("/level", {}),
		facts_test.changed("/level/requests.cpu", 1999),
		facts_test.changed("/grant", {}),
		facts_test.without("/quota/1/limit"),
	] {
		count(approval.checks) == 0 with input as document
	}
}
