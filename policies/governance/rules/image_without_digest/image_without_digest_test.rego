package governance.rules.image_without_digest_test

import data.governance.checkpoints_test
import data.governance.facts_test
import data.governance.rules.image_without_digest

untagged := {"digest": "", "image": "registry.example/viewer:7"}

asked := checkpoints_test.asked(object.union(checkpoints_test.nothing, untagged))

finding := object.union(
	{
		"code": "image-without-digest",
		"image": "registry.example/viewer@sha256:4f53",
		"type": "vuln-scan",
		"node": "radiology",
	},
	{"image": "registry.example/viewer:7"},
)

test_it_is_found if {
	image_without_digest.findings == {finding} with input as asked
	image_without_digest.checks == {"image-without-digest"} with input as asked
}

test_no_grant_answers_it if {
	document := object.union(asked, {"grant": facts_test.grant(["image-without-digest"], [])})
	image_without_digest.findings == {finding} with input as document
}

test_a_digest_is_enough if {
	count(image_without_digest.findings) == 0 with input as checkpoints_test.asked({})
}

test_malformed_facts_are_no_check if {
	count(image_without_digest.checks) == 0 with input as facts_test.without("/checkpoints")
}
