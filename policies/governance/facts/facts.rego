# METADATA
# title: Facts
# description: What a fact must look like before a rule may rely on it.
# schemas:
#   - input: schema.input
package governance.facts

# 2020-01-01T00:00:00Z. A clock that stands before it is wrong, and would turn every rule into a warning.
earliest_s := 1577836800

# METADATA
# description: The document is one that these policies read, and says what time it is.
document_sound if {
	input.version == 1
	whole(input.time_s)
	input.time_s >= earliest_s
}

# METADATA
# description: A rule in force from a later moment on only warns. Whatever is not plainly earlier is in force.
early(effective_s) if {
	whole(input.time_s)
	whole(effective_s)
	input.time_s < effective_s
}

# METADATA
# description: An amount in ledger units, or a moment in epoch seconds; a missing, negative or fractional one is none.
whole(value) if {
	is_number(value)
	value >= 0
	value == floor(value)
}

# METADATA
# description: A text that names something.
named(value) if {
	is_string(value)
	value != ""
}

# METADATA
# description: A list of names, possibly empty.
all_named(list) if {
	is_array(list)
	every one in list {
		named(one)
	}
}

# METADATA
# description: Amounts by resource.
amounts(object_) if {
	is_object(object_)
	every amount in object_ {
		whole(amount)
	}
}

# METADATA
# description: Labels as Kubernetes has them, text by text.
labels(object_) if {
	is_object(object_)
	every label in object_ {
		is_string(label)
	}
}

# METADATA
# description: An empty list stands for all.
# scope: document
applies(list, _) if count(list) == 0

applies(list, value) if value in list

# METADATA
# description: There is no grant, or one that says plainly what it waives and allows.
# scope: document
grant_sound if input.grant == null

grant_sound if {
	named(input.grant.change)
	all_named(input.grant.waives)
	is_array(input.grant.allowances)
	every allowance in input.grant.allowances {
		named(allowance.node)
		named(allowance.resource)
		whole(allowance.amount)
	}
}

# METADATA
# description: An approved change request answers this code.
waived(code) if code in input.grant.waives
