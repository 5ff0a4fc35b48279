from dataclasses import replace
from typing import Any

import pytest
import yaml

from governance.errors import BadInput
from webhooks.kubernetes.conditions import CONDITIONS_MAX, conditions
from webhooks.kubernetes.install import Installation, Service, manifests, render, review_path
from webhooks.kubernetes.kinds import Scalable

INSTALLATION = Installation("north", "https://governance.example:8443/", b"PEM")


def webhook(installation: Installation = INSTALLATION) -> dict[str, Any]:
    found: dict[str, Any] = manifests(installation)[-1]["webhooks"][0]
    return found


def test_what_is_printed_is_what_is_made() -> None:
    assert list(yaml.safe_load_all(render(INSTALLATION))) == manifests(INSTALLATION)
    assert "&id" not in render(INSTALLATION)


def test_silence_denies_and_a_dry_run_is_asked_too() -> None:
    found = webhook()
    assert (found["failurePolicy"], found["sideEffects"], found["matchPolicy"]) == (
        "Fail",
        "NoneOnDryRun",
        "Equivalent",
    )


def test_a_deletion_is_never_asked() -> None:
    assert {operation for rule in webhook()["rules"] for operation in rule["operations"]} == {"CREATE", "UPDATE"}


def test_its_own_namespace_and_kube_system_are_left_out() -> None:
    selector = webhook(replace(INSTALLATION, namespace="platform"))["namespaceSelector"]
    assert selector["matchExpressions"][0]["values"] == ["kube-system", "platform"]


def test_it_is_called_at_its_url_or_its_service() -> None:
    path = review_path("north")
    assert webhook()["clientConfig"] == {"url": f"https://governance.example:8443{path}", "caBundle": "UEVN"}
    service = replace(INSTALLATION, endpoint=Service("platform"))
    assert webhook(service)["clientConfig"]["service"] == {
        "namespace": "platform",
        "name": "governance",
        "port": 443,
        "path": path,
    }


@pytest.mark.parametrize("url", ["http://governance.example", "governance.example", "https://a.example?b=c"])
def test_an_address_that_cannot_be_called_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        manifests(replace(INSTALLATION, endpoint=url))
    assert caught.value.field == "url"


def test_it_may_read_what_it_watches_and_nothing_else() -> None:
    rules = manifests(INSTALLATION)[2]["rules"]
    assert all(rule["verbs"] == ["get", "list", "watch"] for rule in rules)
    resources = {resource for rule in rules for resource in rule["resources"]}
    assert not resources & {"secrets", "configmaps", "*", "serviceaccounts"}
    assert {"pods", "nodes", "resourcequotas"} & resources == {"pods", "nodes"}


def test_strict_pods_are_asked_for_whoever_makes_them() -> None:
    lenient, strict = ({one["name"] for one in conditions(pods)} for pods in ("lenient", "strict"))
    assert lenient - strict == {"not-by-a-workload-controller"}


def test_a_kind_of_ones_own_is_asked_for_watched_and_let_shrink() -> None:
    rollout = Scalable("argoproj.io/rollouts", "Rollout")
    installation = replace(INSTALLATION, scalables=[rollout])
    asked = {resource for rule in webhook(installation)["rules"] for resource in rule["resources"]}
    assert {"rollouts", "rollouts/scale"} <= asked
    assert {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "list", "watch"]} in manifests(
        installation
    )[2]["rules"]
    assert "not-a-smaller-rollouts.argoproj.io" in {one["name"] for one in webhook(installation)["matchConditions"]}


def test_more_conditions_than_the_api_server_takes_are_refused() -> None:
    kinds = [Scalable(f"example.org/things{number}", "Thing") for number in range(CONDITIONS_MAX)]
    with pytest.raises(BadInput) as caught:
        conditions("lenient", kinds)
    allowed = int(str(caught.value).split("At most ")[1].split(" ")[0])
    assert len(conditions("lenient", kinds[:allowed])) == CONDITIONS_MAX
