from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from governance.admission.decide import decide
from governance.db.types import new_id
from governance.errors import BadInput
from governance.policy import bundle
from governance.policy.embedded import Embedded
from governance.policy.factory import health
from tests.policy.cases import ALL
from tests.policy.documents import sample

FREEZE = "governance/rules/freeze/freeze.rego"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged policies."""
    return Path(shutil.copytree(bundle.packaged(), tmp_path / "policies"))


def edit(folder: Path, old: str, new: str, path: str = FREEZE) -> None:
    file = folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_packaged_policies_hold_four_rules() -> None:
    assert bundle.load().rules.keys() == ALL
    freeze = bundle.load().rules["freeze"]
    assert (freeze.title, freeze.severity, freeze.effective_on) == ("No change in a freeze", "high", "2020-01-01")


def test_the_digest_covers_every_path_and_byte_and_no_test(folder: Path) -> None:
    loaded = bundle.load(folder)
    assert loaded == bundle.load()
    files = sorted(path for path in (folder / "governance").rglob("*.rego") if not path.name.endswith("_test.rego"))
    parts = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files]
    expected = b"".join(f"{path}\n{len(text)}\n".encode() + text for path, text in parts)
    assert loaded.digest == hashlib.sha256(expected).hexdigest()

    (folder / "governance/rules/freeze/freeze_test.rego").unlink()
    assert bundle.load(folder).digest == loaded.digest
    edit(folder, "While a freeze", "When a freeze")
    assert bundle.load(folder).digest != loaded.digest


def test_a_lost_rule_is_found_when_the_policies_are_read(folder: Path) -> None:
    (folder / FREEZE).unlink()
    with pytest.raises(BadInput, match=r"lists the rules .*'freeze'"):
        bundle.load(folder)


def test_a_rule_that_the_entrypoint_does_not_list_is_found(folder: Path) -> None:
    edit(folder, "#     - freeze\n", "", "governance/admission/admission.rego")
    with pytest.raises(BadInput, match="lists the rules"):
        bundle.load(folder)


@pytest.mark.parametrize("code", sorted(ALL))
def test_a_rule_that_is_lost_after_that_is_a_missing_check_and_denies(code: str) -> None:
    whole = bundle.load()
    kept = tuple(one for one in whole.modules if one.package != f"governance.rules.{code.replace('-', '_')}")
    engine = Embedded(bundle.Bundle(kept, whole.rules, whole.digest), 1000, size=1)
    decision = decide(new_id(), engine.evaluate(sample()), engine.rules)
    missing = {one.values["check"] for one in decision.violations if one.code == "check-missing"}
    assert (decision.outcome, decision.askable) == ("deny", False)
    assert code in missing
    assert not health(engine).ready
    assert code in health(engine).detail


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# METADATA", "# NOTES", "no METADATA"),
        ("# title: No", "# titel: No", "without title"),
        ("# custom:", "# costum:", "no METADATA with `custom`"),
        ("#   severity: high", "#   severity: [high", "no YAML"),
        ("#   severity: high", "#   severity:", "without severity"),
        ("#   exception: true", "#   exception: maybe", "exception"),
        ("#   effective_on: 2020-01-01", "#   effective_on: soon", "effective_on"),
        ("#   effective_on: 2020-01-01", "#   effective_on: 2020-01-01T12:00:00Z", "effective_on"),
        ("#   effective_on: 2020-01-01", "#   effective_on: 2020-01-02", "effective_s := 1577923200"),
        ("#   code: freeze", "#   code: freez", 'checks contains "freez"'),
        ('checks contains "freeze"', 'checks contains "frost"', 'checks contains "freeze"'),
        ('"code": "freeze"', '"code": "frost"', '"code": "freeze"'),
        ("package governance.rules.freeze", "package governance.rules.frost", "not in package"),
        ("is_array(input.freezes)", "http.send(input.freezes)", "calls http.send"),
    ],
)
def test_a_rule_that_is_not_as_it_must_be_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    edit(folder, old, new)
    with pytest.raises(BadInput) as refused:
        bundle.load(folder)
    assert message in refused.value.detail
    assert refused.value.detail.startswith("governance/")
    assert refused.value.field == "policy.directory"


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / FREEZE).write_bytes(b"package \xff")
    with pytest.raises(BadInput, match=r"freeze\.rego cannot be read"):
        bundle.load(folder)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no package governance\.admission"):
        bundle.load(tmp_path)


def test_policies_that_do_not_compile_are_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(folder, "sound(freeze) if {", "sound(freeze) if if {")
    with pytest.raises(BadInput, match="do not compile"):
        Embedded(bundle.load(folder), 1000, size=1)
    capfd.readouterr()
