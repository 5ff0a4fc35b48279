package governance.rules.freeze_test

import data.governance.facts_test
import data.governance.rules.freeze

window(environments) := {
	"calendar": "winter",
	"summary": "Winter closure",
	"environments": environments,
	"ends_at_s": 1795003600,
}

frozen(environments) := facts_test.added("/freezes/0", window(environments))

test_a_freeze_holds_where_it_says if {
	every environments in [[], ["production"], ["staging", "production"]] {
		freeze.findings == {{
			"code": "freeze",
			"calendar": "winter",
			"summary": "Winter closure",
			"ends_at_s": 1795003600,
		}} with input as frozen(environments)
	}
}

test_a_freeze_elsewhere_does_not_hold if {
	count(freeze.findings) == 0 with input as frozen(["staging"])
	freeze.checks == {"freeze"} with input as frozen(["staging"])
}

test_a_grant_answers_a_freeze if {
	document := object.union(frozen([]), {"grant": facts_test.grant(["freeze"], [])})
	count(freeze.findings) == 0 with input as document
	other := object.union(frozen([]), {"grant": facts_test.grant(["approval"], [])})
	count(freeze.findings) == 1 with input as other
}

test_malformed_facts_are_no_check if {
	every document in [
		{},
		facts_test.without("/freezes"),
		facts_test.changed("/freezes", {}),
		facts_test.added("/freezes/0", {}),
		facts_test.added("/freezes/0", object.union(window([]), {"environments": "production"})),
		facts_test.added("/freezes/0", object.union(window([]), {"ends_at_s": "soon"})),
		facts_test.added("/freezes/0", object.union(window([]), {"calendar": ""})),
		facts_test.added("/freezes/0", object.union(window([]), {"summary": null})),
		facts_test.changed("/project/environment", ""),
		facts_test.changed("/grant", {}),
	] {
		count(freeze.checks) == 0 with input as document
	}
}
