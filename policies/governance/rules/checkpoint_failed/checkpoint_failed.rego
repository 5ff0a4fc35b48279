# METADATA
# title: A required checkpoint has passed
# description: The newest record of each required type must have passed; a later failure beats an earlier pass.
# schemas:
#   - input: schema.input
# custom:
#   code: checkpoint-failed
#   severity: high
#   solution: Run an image that passes, or ask for an exception.
#   owner: information security
#   control: ISO 27001 A.8.8 management of technical vulnerabilities
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.checkpoint_failed

import data.governance.checkpoints
import data.governance.facts

effective_s := 1577836800

checks contains "checkpoint-failed" if checkpoints.sound

findings contains finding if {
	not facts.waived("checkpoint-failed")
	some row in failed
	finding := {
		"code": "checkpoint-failed",
		"image": row.image,
		"digest": row.digest,
		"type": row.type,
		"node": row.node,
		"at_s": row.at_s,
	}
}

needs contains checkpoints.need("checkpoint-failed", row) if some row in failed

failed contains row if {
	some row in input.checkpoints
	row.result == "fail"
}
