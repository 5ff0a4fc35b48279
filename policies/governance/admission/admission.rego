# METADATA
# title: Admission
# description: |
#   The one entrypoint. It gathers what every rule package below governance.rules found; a rule that is not yet in force
#   only warns. `rules` lists the codes that must be evaluated: one that is not denies.
# entrypoint: true
# schemas:
#   - input: schema.input
# custom:
#   rules:
#     - approval
#     - budget
#     - budget-approval
#     - checkpoint-expired
#     - checkpoint-failed
#     - checkpoint-missing
#     - freeze
#     - headroom
#     - image-without-digest
#     - placement
package governance.admission

import data.governance.facts

violations contains finding if {
	some name, finding
	data.governance.rules[name].findings[finding]
	not facts.early(data.governance.rules[name].effective_s)
}

warnings contains finding if {
	some name, finding
	data.governance.rules[name].findings[finding]
	facts.early(data.governance.rules[name].effective_s)
}

approvals contains need if {
	some name, need
	data.governance.rules[name].needs[need]
	not facts.early(data.governance.rules[name].effective_s)
}

checks contains code if {
	facts.document_sound
	some name, code
	data.governance.rules[name].checks[code]
	facts.whole(data.governance.rules[name].effective_s)
}
