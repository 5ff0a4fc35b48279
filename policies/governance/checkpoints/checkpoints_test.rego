package governance.checkpoints_test

import data.governance.checkpoints
import data.governance.facts_test

asked(changes) := facts_test.added("/checkpoints/0", facts_test.checkpoint(changes))

nothing := {"result": null, "at_s": null, "valid_until_s": null}

test_plain_rows_are_sound if {
	checkpoints.sound with input as facts_test.sample
	every changes in [
		{},
		{"result": "fail"},
		{"valid_until_s": 1795000000},
		nothing,
		object.union(nothing, {"digest": ""}),
	] {
		checkpoints.sound with input as asked(changes)
	}
}

test_malformed_rows_are_not if {
	every document in [
		{},
		facts_test.without("/checkpoints"),
		facts_test.changed("/checkpoints", {}),
		facts_test.added("/checkpoints/0", {}),
		facts_test.changed("/grant", {}),
		asked({"image": ""}),
		asked({"digest": null}),
		asked({"type": ""}),
		asked({"node": 1}),
		asked({"result": "passed"}),
		asked({"result": null}),
		asked({"digest": ""}),
		asked({"at_s": null}),
		asked({"at_s": "today"}),
		asked({"valid_until_s": "tomorrow"}),
		asked({"valid_until_s": -1}),
		asked(object.union(nothing, {"valid_until_s": 1})),
	] {
		not checkpoints.sound with input as document
	}
}

test_a_result_holds_until_its_end if {
	not checkpoints.ended({"valid_until_s": null}) with input as facts_test.sample
	not checkpoints.ended({"valid_until_s": 1795000001}) with input as facts_test.sample
	checkpoints.ended({"valid_until_s": 1795000000}) with input as facts_test.sample
}
