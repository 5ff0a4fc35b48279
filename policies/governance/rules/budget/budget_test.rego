package governance.rules.budget_test

import data.governance.budgets_test
import data.governance.facts_test
import data.governance.rules.budget

test_a_reached_budget_denies if {
	budget.findings == {budgets_test.finding("budget")} with input as budgets_test.with_budget({})
	budget.checks == {"budget"} with input as budgets_test.with_budget({})
	count(budget.findings) == 0 with input as facts_test.sample
	count(budget.checks) == 0 with input as {}
}

test_no_grant_answers_it if {
	document := object.union(budgets_test.with_budget({}), {"grant": facts_test.grant(["budget"], [])})
	count(budget.findings) == 1 with input as document
}
