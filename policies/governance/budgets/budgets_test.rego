package governance.budgets_test

import data.governance.budgets
import data.governance.facts_test

radiology := {
	"name": "radiology-2026",
	"node": "radiology",
	"currency": "EUR",
	"reached": "deny",
	"budget": 12000000000,
	"spent": 11000000000,
	"exposure": 12000000000,
	"as_of_s": 1794900000,
}

with_budget(changes) := facts_test.added("/budgets/0", object.union(radiology, changes))

finding(code) := object.union(object.remove(radiology, ["name", "reached"]), {"code": code, "rule": "radiology-2026"})

test_a_budget_is_reached_by_exposure if {
	count(budgets.reached("deny")) == 1 with input as with_budget({})
	count(budgets.reached("deny")) == 0 with input as with_budget({"exposure": 11999999999})
	count(budgets.reached("approval")) == 0 with input as with_budget({})
}

test_what_does_not_rise_is_not_stopped if {
	document := json.patch(with_budget({}), [{"op": "replace", "path": "/increase", "value": {}}])
	count(budgets.reached("deny")) == 0 with input as document
}

test_budgets_are_sound_or_are_not if {
	budgets.sound with input as facts_test.sample
	budgets.sound with input as with_budget({})
	every document in [
		{},
		facts_test.without("/budgets"),
		facts_test.changed("/budgets", {}),
		facts_test.changed("/increase", []),
		facts_test.changed("/grant", {}),
		with_budget({"name": ""}),
		with_budget({"node": null}),
		with_budget({"currency": 1}),
		with_budget({"reached": "warn"}),
		with_budget({"budget": "12000"}),
		with_budget({"spent": -1}),
		with_budget({"exposure": null}),
		with_budget({"as_of_s": "now"}),
	] {
		not budgets.sound with input as document
	}
}
