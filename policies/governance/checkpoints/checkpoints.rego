# METADATA
# title: Checkpoints
# description: |
#   What is asked of the images that are new to a root: a row for each image and each type that its department requires,
#   with the newest result for its digest. Python reads and computes them; rules compare.
# schemas:
#   - input: schema.input
package governance.checkpoints

import data.governance.facts

# METADATA
# description: Every row says plainly what is asked and how it stands, and what a grant waives is known.
sound if {
	facts.grant_sound
	is_array(input.checkpoints)
	every row in input.checkpoints {
		row_sound(row)
	}
}

# METADATA
# description: Who can approve that something runs although a row is not as it should be.
need(rule, row) := {
	"rule": rule,
	"group": concat("", ["approver@", row.node]),
	"minimum": 1,
	"deny_minimum": 1,
}

# METADATA
# description: A result that holds no longer. Its last moment is not one at which it holds.
ended(row) if {
	row.valid_until_s != null
	input.time_s >= row.valid_until_s
}

row_sound(row) if {
	facts.named(row.image)
	is_string(row.digest)
	facts.named(row.type)
	facts.named(row.node)
	result_sound(row)
}

result_sound(row) if {
	row.result == null
	row.at_s == null
	row.valid_until_s == null
}

result_sound(row) if {
	row.result in {"pass", "fail"}
	row.digest != ""
	facts.whole(row.at_s)
	end_sound(row.valid_until_s)
}

end_sound(null)

end_sound(end_s) if facts.whole(end_s)
