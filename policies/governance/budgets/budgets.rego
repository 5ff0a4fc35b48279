# METADATA
# title: Budgets
# description: |
#   The budgets on the path, with what was spent of them this month. Money is in millionths. Python reads and computes;
#   rules compare.
# schemas:
#   - input: schema.input
package governance.budgets

import data.governance.facts

# METADATA
# description: Every budget says plainly how it stands, and what a grant waives is known.
sound if {
	facts.grant_sound
	facts.amounts(input.increase)
	is_array(input.budgets)
	every budget in input.budgets {
		budget_sound(budget)
	}
}

# METADATA
# description: |
#   The budgets of a kind (deny, approval) that are reached, for a request by which something rises. What only changes
#   otherwise costs no more.
reached(kind) := {budget |
	some budget in input.budgets
	budget.reached == kind
	budget.exposure >= budget.budget
	count(input.increase) > 0
}

budget_sound(budget) if {
	facts.named(budget.name)
	facts.named(budget.node)
	facts.named(budget.currency)
	budget.reached in {"approval", "deny"}
	facts.whole(budget.budget)
	facts.whole(budget.spent)
	facts.whole(budget.exposure)
	facts.whole(budget.as_of_s)
}
