# METADATA
# title: A required checkpoint is there
# description: Each digest that is new to a workload needs a record of every type that its department requires.
# schemas:
#   - input: schema.input
# custom:
#   code: checkpoint-missing
#   severity: high
#   solution: Have the image checked and the result recorded, or ask for an exception.
#   owner: information security
#   control: ISO 27001 A.8.8 management of technical vulnerabilities
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.checkpoint_missing

import data.governance.checkpoints
import data.governance.facts

effective_s := 1577836800

checks contains "checkpoint-missing" if checkpoints.sound

findings contains finding if {
	not facts.waived("checkpoint-missing")
	some row in missing
	finding := {
		"code": "checkpoint-missing",
		"image": row.image,
		"digest": row.digest,
		"type": row.type,
		"node": row.node,
	}
}

needs contains checkpoints.need("checkpoint-missing", row) if some row in missing

missing contains row if {
	some row in input.checkpoints
	row.digest != ""
	row.result == null
}
