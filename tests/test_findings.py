"""What is wrong, told to people and to programs."""

import pytest

from scalebridge.findings import ConfigurationError, Finding, Findings, errors, nearest, one_of


@pytest.mark.parametrize(
    ("finding", "text", "remedy"),
    [
        (Finding("a.xml", 3, "<mesh>", "is wrong"), "a.xml:3: <mesh>: is wrong", ""),
        (Finding("a.xml", None, "", "is wrong"), "a.xml: is wrong", ""),
        (Finding("a.xml", 3, "<x>", "is wrong", "a name"), "a.xml:3: <x>: is wrong; expected a name", "Make it a name"),
        (
            Finding("a.xml", 3, "<x>", "is wrong", "a or b", "a", severity="warning", rule="names"),
            "a.xml:3: warning: <x>: is wrong; expected a or b. Did you mean 'a'?",
            "Write 'a'",
        ),
        (
            Finding("a.xml", 3, "<x>", "is wrong", "", "a", severity="hint", fix="Remove it"),
            "a.xml:3: hint: <x>: is wrong. Did you mean 'a'? Remove it",
            "Remove it",
        ),
        (Finding("a", 1, "", "is wrong", fix="Remove it"), "a:1: is wrong. Remove it", "Remove it"),
    ],
)
def test_text_and_remedy(finding, text, remedy):
    assert str(finding) == text
    assert finding.remedy == remedy
    assert finding.to_json()["fix"] == remedy


def test_json():
    told = Finding("a.xml", 3, "<x>", "is wrong", "a or b", "a", rule="names").to_json()
    assert told == {
        "file": "a.xml",
        "line": 3,
        "key": "<x>",
        "message": "is wrong",
        "expected": "a or b",
        "nearest": "a",
        "severity": "error",
        "rule": "names",
        "fix": "Write 'a'",
    }


def test_collecting():
    findings = Findings("case.yaml", "names")
    findings.raise_if_any()
    findings.add(1, "kye", "no such key", got="kye", candidates=["key", "lock"])
    findings.add(2, "lock", "is open", severity="warning", rule="doors", fix="Close it")
    first, second = findings.found
    assert (first.rule, first.nearest, first.expected) == ("names", "key", "one of key, lock")
    assert (second.rule, second.severity) == ("doors", "warning")
    assert errors(findings.found) == [first]
    with pytest.raises(ConfigurationError, match="no such key"):
        findings.raise_if_any()


def test_names():
    assert nearest("heat-flux", ["Heat-Flux", "Temperature"]) == "Heat-Flux"
    assert nearest("x", ["Heat-Flux"]) is None
    assert one_of(["b", "a"]) == "one of a, b"
    assert one_of(["a"]) == "a"
    assert one_of(map(str, range(20)), most=2) == "one of 0, 1 and 18 more"
