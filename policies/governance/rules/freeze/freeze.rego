# METADATA
# title: No change in a freeze
# description: While a freeze of the calendar holds for the project's environment, nothing new is admitted.
# schemas:
#   - input: schema.input
# custom:
#   code: freeze
#   severity: high
#   solution: Wait until the freeze ends, or ask for an exception.
#   owner: change management
#   control: ISO 27001 A.8.32 change management
#   effective_on: 2020-01-01
#   exception: true
package governance.rules.freeze

import data.governance.facts

effective_s := 1577836800

checks contains "freeze" if {
	facts.grant_sound
	facts.named(input.project.environment)
	is_array(input.freezes)
	every freeze in input.freezes {
		sound(freeze)
	}
}

findings contains finding if {
	not facts.waived("freeze")
	some freeze in input.freezes
	facts.applies(freeze.environments, input.project.environment)
	finding := {
		"code": "freeze",
		"calendar": freeze.calendar,
		"summary": freeze.summary,
		"ends_at_s": freeze.ends_at_s,
	}
}

sound(freeze) if {
	facts.named(freeze.calendar)
	is_string(freeze.summary)
	facts.all_named(freeze.environments)
	facts.whole(freeze.ends_at_s)
}
