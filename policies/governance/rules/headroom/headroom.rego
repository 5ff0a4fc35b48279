# METADATA
# title: Headroom under every quota
# description: |
#   What a request adds must fit under the limit of its project and of every department above it, for each resource.
# schemas:
#   - input: schema.input
# custom:
#   code: headroom
#   severity: high
#   solution: Ask for less, free capacity in the department, or ask for an exception.
#   owner: platform
#   control: ISO 27001 A.8.6 capacity management
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.headroom

import data.governance.facts

effective_s := 1577836800

checks contains "headroom" if {
	facts.grant_sound
	quota_sound
}

findings contains finding if {
	some row in input.quota
	row.increase > 0
	row.limit != null
	row.used + row.increase > row.limit + allowance(row)
	finding := {
		"code": "headroom",
		"node": row.node,
		"resource": row.resource,
		"requested": row.increase,
		"used": row.used,
		"limit": row.limit,
		"rule": row.rule,
	}
}

allowance(row) := sum([one.amount |
	facts.waived("headroom")
	some one in input.grant.allowances
	one.node == row.node
	one.resource == row.resource
])

# METADATA
# description: Usage is known at every node of the path for every resource that rises, and rises at the project by it.
quota_sound if {
	is_array(input.quota)
	facts.amounts(input.increase)
	rising_at_project == rising
	every row in input.quota {
		row_sound(row)
	}
	rising == {row.resource | some row in input.quota}
	nodes := {row.node | some row in input.quota}
	places := {[row.node, row.resource] | some row in input.quota}
	count(places) == count(input.quota)
	count(places) == count(nodes) * count(rising)
}

rising contains resource if {
	some resource, amount in input.increase
	amount > 0
}

rising_at_project contains row.resource if {
	some row in input.quota
	row.kind == "project"
	row.increase == input.increase[row.resource]
}

row_sound(row) if {
	facts.named(row.node)
	row.kind in {"department", "project"}
	is_string(row.rule)
	facts.whole(row.increase)
	facts.whole(row.used)
	limit_sound(row.limit)
}

limit_sound(null)

limit_sound(limit) if facts.whole(limit)
