# METADATA
# title: A required checkpoint still holds
# description: A passed record holds until it ends itself, or is older than the department lets its type be.
# schemas:
#   - input: schema.input
# custom:
#   code: checkpoint-expired
#   severity: high
#   solution: Have the image checked again and the result recorded, or ask for an exception.
#   owner: information security
#   control: ISO 27001 A.8.8 management of technical vulnerabilities
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.checkpoint_expired

import data.governance.checkpoints
import data.governance.facts

effective_s := 1577836800

checks contains "checkpoint-expired" if checkpoints.sound

findings contains finding if {
	not facts.waived("checkpoint-expired")
	some row in expired
	finding := {
		"code": "checkpoint-expired",
		"image": row.image,
		"digest": row.digest,
		"type": row.type,
		"node": row.node,
		"valid_until_s": row.valid_until_s,
	}
}

needs contains checkpoints.need("checkpoint-expired", row) if some row in expired

expired contains row if {
	some row in input.checkpoints
	row.result == "pass"
	checkpoints.ended(row)
}
