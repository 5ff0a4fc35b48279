# METADATA
# title: An image that needs checkpoints names its digest
# description: A checkpoint is of a digest, and a tag may stand for another image tomorrow.
# schemas:
#   - input: schema.input
# custom:
#   code: image-without-digest
#   severity: high
#   solution: Name the image with its digest.
#   owner: information security
#   control: ISO 27001 A.8.8 management of technical vulnerabilities
#   effective_on: 2020-01-01
#   exception: false
package governance.rules.image_without_digest

import data.governance.checkpoints

effective_s := 1577836800

checks contains "image-without-digest" if checkpoints.sound

findings contains finding if {
	some row in input.checkpoints
	row.digest == ""
	finding := {
		"code": "image-without-digest",
		"image": row.image,
		"type": row.type,
		"node": row.node,
	}
}
