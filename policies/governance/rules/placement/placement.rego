# METADATA
# title: Clinical workloads stay on premises
# description: |
#   A project labelled workload-class=clinical is latency-sensitive: it runs only in clusters labelled
#   location=on-premises. A cluster without that label is not taken for one.
# schemas:
#   - input: schema.input
# custom:
#   code: placement
#   severity: critical
#   solution: Use a cluster on premises.
#   owner: clinical engineering
#   control: IEC 80001-1 risk management of networks with medical devices
#   effective_on: 2020-01-01
#   exception: false
package governance.rules.placement

import data.governance.facts

effective_s := 1577836800

checks contains "placement" if {
	facts.labels(input.project.labels)
	facts.named(input.cluster.name)
	facts.labels(input.cluster.labels)
}

findings contains finding if {
	input.project.labels["workload-class"] == "clinical"
	location := object.get(input.cluster.labels, "location", "")
	location != "on-premises"
	finding := {"code": "placement", "cluster": input.cluster.name, "location": location}
}
