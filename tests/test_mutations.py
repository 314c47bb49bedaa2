"""Broken configurations by the hundred (the thousands: `python -m tests.mutations`)."""

import random

from tests import mutations


def test_broken_configurations_are_told_what_is_wrong(tmp_path):
    report = mutations.torture(600, seed=20261122, folder=tmp_path)
    assert report.failures == []
    assert report.count == 600
    assert report.refused > 400
    assert len(report.rules) > 15
    assert list(tmp_path.iterdir()) == []


def test_mutations_are_repeatable_and_change_something():
    text = 'a: 1\nb: <x y="z">\n'
    made = [mutations.mutate(text, random.Random(i)) for i in range(200)]
    assert made == [mutations.mutate(text, random.Random(i)) for i in range(200)]
    assert len(set(made)) > 60


def test_failures_are_noticed(tmp_path, monkeypatch):
    """An exception, a finding without a message, and a check that never ends are failures."""
    monkeypatch.setattr(mutations, "SECONDS", 0.2)

    def crash(path, engine):
        raise KeyError("oops")

    def hang(path, engine):
        while True:
            pass

    for function, message in ((crash, "KeyError: 'oops'"), (hang, "TimeoutError: no result after 0.2 s")):
        monkeypatch.setattr(mutations, "look", function)
        monkeypatch.setattr(mutations, "_cases", mutations._foreign)
        monkeypatch.setattr(mutations, "_foreign", lambda place: mutations._cases(place / "more"))
        report = mutations.torture(2, folder=tmp_path)
        assert len(report.failures) == 2
        assert all(message in failure for failure in report.failures)
        monkeypatch.undo()
        monkeypatch.setattr(mutations, "SECONDS", 0.2)
