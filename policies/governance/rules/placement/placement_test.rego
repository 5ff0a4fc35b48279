package governance.rules.placement_test

import data.governance.facts_test
import data.governance.rules.placement

test_clinical_workloads_stay_on_premises if {
	placement.checks == {"placement"} with input as facts_test.sample
	count(placement.findings) == 0 with input as facts_test.sample
	placement.findings == {{"code": "placement", "cluster": "main", "location": "cloud"}} with input as cloud
}

cloud := facts_test.changed("/cluster/labels/location", "cloud")

test_a_cluster_that_says_nothing_is_not_on_premises if {
	document := facts_test.without("/cluster/labels/location")
	placement.findings == {{"code": "placement", "cluster": "main", "location": ""}} with input as document
}

test_other_workloads_run_anywhere if {
	every labels in [{}, {"workload-class": "research"}] {
		document := json.patch(cloud, [{"op": "replace", "path": "/project/labels", "value": labels}])
		count(placement.findings) == 0 with input as document
	}
}

test_no_grant_answers_it if {
	document := object.union(cloud, {"grant": facts_test.grant(["placement"], [])})
	count(placement.findings) == 1 with input as document
}

test_malformed_facts_are_no_check if {
	every document in [
		{},
		facts_test.without("/project/labels"),
		facts_test.changed("/project/labels", ["clinical"]),
		facts_test.changed("/project/labels", {"workload-class": ["clinical"]}),
		facts_test.without("/cluster/labels"),
		facts_test.changed("/cluster/labels", {"location": 1}),
		facts_test.changed("/cluster/name", ""),
	] {
		count(placement.checks) == 0 with input as document
	}
}
