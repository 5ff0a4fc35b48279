# METADATA
# title: Approval where a rule asks for it
# description: |
#   An approval rule on the path asks for approval by environment, kind, size, or for going over a limit. Going over a
#   limit that no such rule covers needs an approver of each node that is over.
# schemas:
#   - input: schema.input
# custom:
#   code: approval
#   severity: medium
#   solution: Ask for approval.
#   owner: change management
#   control: ISO 27001 A.8.32 change management
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.approval

import data.governance.facts
import data.governance.rules.freeze
import data.governance.rules.headroom

effective_s := 1577836800

checks contains "approval" if {
	"headroom" in headroom.checks
	facts.named(input.project.department)
	facts.named(input.project.environment)
	facts.named(input.request.kind)
	level_sound
	is_array(input.approval_rules)
	every rule in input.approval_rules {
		rule_sound(rule)
	}
}

findings contains {"code": "approval", "rule": rule.name, "node": rule.node} if {
	not facts.waived("approval")
	some rule in matching
}

needs contains need if {
	some rule in matching
	some one in rule.require
	need := {"rule": rule.name, "group": one.group, "minimum": one.minimum, "deny_minimum": one.deny_minimum}
}

needs contains department_need("headroom", over.node) if {
	count({rule | some rule in matching; rule.overrun}) == 0
	some over in headroom.findings
}

needs contains department_need("freeze", input.project.department) if {
	count(matching) == 0
	count(headroom.findings) == 0
	count(freeze.findings) > 0
}

department_need(rule, node) := {
	"rule": rule,
	"group": concat("", ["approver@", node]),
	"minimum": 1,
	"deny_minimum": 1,
}

matching contains rule if {
	some rule in input.approval_rules
	facts.applies(rule.environments, input.project.environment)
	facts.applies(rule.kinds, input.request.kind)
	large_enough(rule)
	overrun_enough(rule.overrun)
}

large_enough(rule) if count(rule.above) == 0

large_enough(rule) if {
	some resource, amount in rule.above
	input.level[resource] > amount
}

overrun_enough(false)

overrun_enough(true) if count(headroom.findings) > 0
