package governance.rules.budget_approval_test

import data.governance.budgets_test
import data.governance.facts_test
import data.governance.rules.budget_approval

reached := budgets_test.with_budget({"reached": "approval"})

test_a_reached_budget_asks_for_an_approval if {
	budget_approval.findings == {budgets_test.finding("budget-approval")} with input as reached
	budget_approval.checks == {"budget-approval"} with input as reached
	budget_approval.needs == {{
		"rule": "budget-approval",
		"group": "approver@radiology",
		"minimum": 1,
		"deny_minimum": 1,
	}} with input as reached
	count(budget_approval.findings) == 0 with input as facts_test.sample
	count(budget_approval.checks) == 0 with input as {}
}

test_a_grant_answers_it if {
	document := object.union(reached, {"grant": facts_test.grant(["budget-approval"], [])})
	count(budget_approval.findings) == 0 with input as document
}
