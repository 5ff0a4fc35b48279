# METADATA
# title: Beyond a budget an approval is needed
# description: |
#   Once a month's budget is reached, what rises needs the approval of whoever answers for it.
# schemas:
#   - input: schema.input
# custom:
#   code: budget-approval
#   severity: high
#   solution: Ask for an approval.
#   owner: finance
#   control: budget control
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.budget_approval

import data.governance.budgets
import data.governance.facts

effective_s := 1577836800

checks contains "budget-approval" if budgets.sound

findings contains finding if {
	not facts.waived("budget-approval")
	some budget in budgets.reached("approval")
	finding := {
		"code": "budget-approval",
		"rule": budget.name,
		"node": budget.node,
		"currency": budget.currency,
		"budget": budget.budget,
		"spent": budget.spent,
		"exposure": budget.exposure,
		"as_of_s": budget.as_of_s,
	}
}

needs contains need if {
	some budget in budgets.reached("approval")
	need := {
		"rule": "budget-approval",
		"group": concat("", ["approver@", budget.node]),
		"minimum": 1,
		"deny_minimum": 1,
	}
}
