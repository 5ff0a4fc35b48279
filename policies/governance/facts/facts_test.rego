package governance.facts_test

import data.governance.facts

test_whole_numbers_are_amounts if {
	every value in [0, 1, 9223372036854775807] {
		facts.whole(value)
	}
}

test_nothing_else_is_an_amount if {
	every value in [-1, 1.5, "1", true, null, [1], {"a": 1}] {
		not facts.whole(value)
	}
}

test_only_a_text_names_something if {
	facts.named("a")
	every value in ["", 1, null, ["a"], {"a"}] {
		not facts.named(value)
	}
}

test_a_list_of_names_holds_names_alone if {
	facts.all_named([])
	facts.all_named(["a", "b"])
	every value in [["a", ""], ["a", 1], "a", {"a": "a"}, null] {
		not facts.all_named(value)
	}
}

test_amounts_and_labels_are_objects_of_their_kind if {
	facts.amounts({"pods": 1})
	facts.labels({"a": ""})
	every value in [{"pods": "x"}, {"pods": -1}, [1], "x", null] {
		not facts.amounts(value)
	}
	every value in [{"a": 1}, ["x"], "x", null] {
		not facts.labels(value)
	}
}

test_an_empty_list_applies_to_all if {
	facts.applies([], "production")
	facts.applies(["production"], "production")
	not facts.applies(["staging"], "production")
}

test_a_document_is_of_version_1_and_of_our_time if {
	facts.document_sound with input as sample
	every document in [
		changed("/version", 2),
		changed("/version", "1"),
		changed("/time_s", "1795000000"),
		changed("/time_s", 1577836799),
		without("/time_s"),
		{},
	] {
		not facts.document_sound with input as document
	}
}

test_only_a_later_start_is_early if {
	facts.early(1795000001) with input as sample
	not facts.early(1795000000) with input as sample
	not facts.early("later") with input as sample
	not facts.early(1795000001) with input as changed("/time_s", null)
	not facts.early(1795000001) with input as {}
}

test_a_grant_is_absent_or_whole if {
	allowance := {"node": "radiology", "resource": "pods", "amount": 1}
	facts.grant_sound with input as sample
	facts.grant_sound with input as changed("/grant", grant(["freeze"], [allowance]))
	every document in [
		without("/grant"),
		changed("/grant", {}),
		changed("/grant", "CH-1042"),
		changed("/grant", object.union(grant([], []), {"change": ""})),
		changed("/grant", grant("freeze", [])),
		changed("/grant", grant([1], [])),
		changed("/grant", grant([], {})),
		changed("/grant", grant([], [object.union(allowance, {"amount": "1"})])),
		changed("/grant", grant([], [object.remove(allowance, ["node"])])),
		changed("/grant", grant([], [object.remove(allowance, ["resource"])])),
	] {
		not facts.grant_sound with input as document
	}
}

test_a_grant_waives_what_it_names if {
	facts.waived("freeze") with input as changed("/grant", grant(["freeze"], []))
	not facts.waived("approval") with input as changed("/grant", grant(["freeze"], []))
	not facts.waived("freeze") with input as sample
}
