package governance.admission_test

import data.governance.admission
import data.governance.facts_test

all_checks := {
	"approval",
	"budget",
	"budget-approval",
	"checkpoint-expired",
	"checkpoint-failed",
	"checkpoint-missing",
	"freeze",
	"headroom",
	"image-without-digest",
	"placement",
}

frozen := facts_test.added("/freezes/0", {
	"calendar": "winter",
	"summary": "Winter closure",
	"environments": [],
	"ends_at_s": 1795003600,
})

test_a_request_that_no_rule_minds_has_every_check_and_no_finding if {
	admission.checks == all_checks with input as facts_test.sample
	count(((admission.violations | admission.warnings) | admission.approvals)) == 0 with input as facts_test.sample
}

test_findings_of_every_rule_come_together if {
	document := object.union(frozen, {"cluster": {"labels": {"location": "cloud"}}})
	{one.code | some one in admission.violations} == {"freeze", "placement"} with input as document
	count(admission.approvals) == 1 with input as document
	count(admission.warnings) == 0 with input as document
}

test_a_rule_warns_before_it_is_in_force if {
	count(admission.violations) == 1 with input as frozen
		with data.governance.rules.freeze.effective_s as 1795000000
	count(admission.violations) == 0 with input as frozen
		with data.governance.rules.freeze.effective_s as 1795000001
	{one.code | some one in admission.warnings} == {"freeze"} with input as frozen
		with data.governance.rules.freeze.effective_s as 1795000001
	admission.checks == all_checks with input as frozen
		with data.governance.rules.freeze.effective_s as 1795000001
}

test_a_rule_that_says_no_moment_is_in_force_and_is_no_check if {
	count(admission.violations) == 1 with input as frozen with data.governance.rules.freeze.effective_s as "later"
	admission.checks == all_checks - {"freeze"} with input as frozen
		with data.governance.rules.freeze.effective_s as "later"
}

test_approvals_are_asked_for_once_their_rule_is_in_force if {
	count(admission.approvals) == 0 with input as frozen
		with data.governance.rules.approval.effective_s as 1795000001
}

test_a_document_of_another_version_has_no_check if {
	count(admission.checks) == 0 with input as facts_test.changed("/version", 2)
	count(admission.checks) == 0 with input as {}
}
