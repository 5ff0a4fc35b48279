# METADATA
# title: Images have passed their checkpoints
# description: |
#   Each image that is new to a workload must have passed the checkpoints that its department requires, by its digest.
#   An image named by a tag alone may be another one tomorrow, so it has passed none.
# schemas:
#   - input: schema.input
# custom:
#   code: checkpoint
#   severity: high
#   solution: "Have the control checked and its result recorded: governance checkpoint record."
#   owner: information security
#   control: ISO 27001 A.8.8 management of technical vulnerabilities
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.checkpoint

import data.governance.facts

effective_s := 1577836800

checks contains "checkpoint" if {
	facts.grant_sound
	facts.whole(input.time_s)
	is_array(input.checkpoints)
	every one in input.checkpoints {
		sound(one)
	}
}

findings contains finding if {
	not facts.waived("checkpoint")
	some one in input.checkpoints
	finding := {
		"code": "checkpoint",
		"image": one.image,
		"type": one.type,
		"node": one.node,
		"reason": reason(one),
		"at_s": one.at_s,
		"until_s": one.until_s,
	}
}

# Why it has not passed; undefined where it has.
reason(one) := "no-digest" if one.digest == ""

reason(one) := "missing" if {
	one.digest != ""
	one.result == ""
}

reason(one) := "failed" if {
	one.digest != ""
	one.result == "fail"
}

reason(one) := "expired" if {
	one.digest != ""
	one.result == "pass"
	one.until_s <= input.time_s
}

sound(one) if {
	facts.named(one.image)
	is_string(one.digest)
	facts.named(one.type)
	facts.named(one.node)
	one.result in ["", "fail", "pass"]
	facts.whole(one.at_s)
	facts.whole(one.until_s)
}
