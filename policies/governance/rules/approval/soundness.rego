package governance.rules.approval

import data.governance.facts

# What rises is part of the level that it rises to; a level that was left out would be below every threshold.
level_sound if {
	facts.amounts(input.level)
	every resource, amount in input.increase {
		amount <= object.get(input.level, resource, 0)
	}
}

rule_sound(rule) if {
	facts.named(rule.name)
	facts.named(rule.node)
	facts.all_named(rule.environments)
	facts.all_named(rule.kinds)
	facts.amounts(rule.above)
	is_boolean(rule.overrun)
	is_array(rule.require)
	count(rule.require) > 0
	every one in rule.require {
		need_sound(one)
	}
}

need_sound(one) if {
	facts.named(one.group)
	facts.whole(one.minimum)
	facts.whole(one.deny_minimum)
	one.minimum > 0
	one.deny_minimum > 0
}
