# METADATA
# title: A budget that is reached is not exceeded
# description: |
#   Once a month's budget is reached, nothing is admitted by which something rises.
# schemas:
#   - input: schema.input
# custom:
#   code: budget
#   severity: high
#   solution: Wait for the next month, or have the budget raised.
#   owner: finance
#   control: budget control
#   effective_on: 2020-01-01
#   exception: false
package governance.rules.budget

import data.governance.budgets

effective_s := 1577836800

checks contains "budget" if budgets.sound

findings contains finding if {
	some budget in budgets.reached("deny")
	finding := {
		"code": "budget",
		"rule": budget.name,
		"node": budget.node,
		"currency": budget.currency,
		"budget": budget.budget,
		"spent": budget.spent,
		"exposure": budget.exposure,
		"as_of_s": budget.as_of_s,
	}
}
