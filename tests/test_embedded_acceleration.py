"""Accelerations of fixed-point iterations: hand calculations, and linear problems that quasi-Newton solves exactly."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from scalebridge.embedded.acceleration import AccelerationError, Iterate, create
from scalebridge.embedded.acceleration.bounds import keep_within_bounds
from scalebridge.embedded.acceleration.preconditioner import create_preconditioner
from scalebridge.embedded.acceleration.settings import (
    FILTERS,
    RESTART_MODES,
    AccelerationConfig,
    DataConfig,
    FilterConfig,
    PreconditionerConfig,
    RestartConfig,
    problems,
)
from scalebridge.embedded.waveform import Waveform

KEY, OTHER = ("Mesh", "Heat"), ("Mesh", "Force")
ONE, TWO = (DataConfig(*KEY),), (DataConfig(*KEY), DataConfig(*OTHER))
TIGHT = FilterConfig("QR2", 1e-12)


def waveform(*samples, start=0.0, step=1.0, degree=1):
    """Samples at start, start + step, ..., each of one component."""
    result = Waveform(degree)
    for i, sample in enumerate(samples):
        result.put(start + i * step, np.array(sample, dtype=float).reshape(-1, 1))
    return result


class FixedPoint:
    """x = A x + b(window), coupled over time windows; the unknowns of one data, or of two."""

    def __init__(self, config, matrix, right, substeps=1, tolerance=1e-10):
        self.acceleration = create(config)
        self.matrix, self.right, self.substeps, self.tolerance = matrix, right, substeps, tolerance
        self.keys = [(entry.mesh, entry.data) for entry in config.data] or [KEY]
        self.waves = {
            key: waveform(part) for key, part in zip(self.keys, self.parts(np.zeros(len(right))), strict=True)
        }
        self.window = 0

    def parts(self, x):
        return np.array_split(x, len(self.keys))

    def solve_window(self, most=40):
        """Iterate one window and return the number of evaluations of A x + b."""
        start, end = float(self.window), float(self.window + 1)
        times = np.linspace(start, end, self.substeps + 1)
        old = {key: wave.copy() for key, wave in self.waves.items()}
        self.window += 1
        iteration = 0
        while iteration < most:
            iteration += 1
            new = {key: waveform(wave.samples[0], start=start) for key, wave in self.waves.items()}
            change = 0.0
            for time in times[1:]:
                x = np.concatenate([old[key].sample(time).ravel() for key in self.keys])
                h = self.matrix @ x + self.right * (self.window + time - start)
                change = max(change, np.linalg.norm(h - x) / np.linalg.norm(h))
                for key, part in zip(self.keys, self.parts(h), strict=True):
                    new[key].put(time, part.reshape(-1, 1))
            iterates = {key: Iterate(old[key], new[key]) for key in self.keys}
            if change < self.tolerance:
                self.acceleration.window_complete(iterates, start, end)
                break
            self.acceleration.accelerate(iterates, start, end)
            old = {key: wave.copy() for key, wave in new.items()}
        self.waves = new
        for wave in self.waves.values():
            wave.keep_last()
        return iteration

    def error(self):
        exact = np.linalg.solve(np.eye(len(self.right)) - self.matrix, self.right * (self.window + 1))
        return np.abs(np.concatenate([self.waves[key].last.ravel() for key in self.keys]) - exact).max()


def linear(n, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((n, n)), rng.standard_normal(n)


# --- relaxation ------------------------------------------------------------------------------------------------------


def test_constant_relaxation_mixes_every_sample_after_the_window_start():
    old, new = waveform([1.0], [3.0], [5.0]), waveform([1.0], [7.0], [9.0])
    create(AccelerationConfig("constant", relaxation=0.25)).accelerate({KEY: Iterate(old, new)}, 0.0, 2.0)
    assert [float(s[0, 0]) for s in new.samples] == [1.0, 0.25 * 7 + 0.75 * 3, 0.25 * 9 + 0.75 * 5]
    assert [float(s[0, 0]) for s in old.samples] == [1.0, 3.0, 5.0]


def test_relaxation_interpolates_the_old_waveform_and_relaxes_gradients():
    old, new = waveform([0.0], [4.0], step=1.0), Waveform(1)
    new.put(0.0, np.zeros((1, 1)), np.zeros((1, 1, 2)))
    new.put(0.5, np.ones((1, 1)), np.full((1, 1, 2), 8.0))
    old.slopes = [np.zeros((1, 1, 2)), np.full((1, 1, 2), 4.0)]
    create(AccelerationConfig("constant", relaxation=0.5)).accelerate({KEY: Iterate(old, new)}, 0.0, 0.5)
    assert new.last[0, 0] == 0.5 * 1.0 + 0.5 * 2.0
    np.testing.assert_array_equal(new.slopes[-1], np.full((1, 1, 2), 6.0))


def test_aitken_finds_a_linear_fixed_point_of_one_unknown_by_the_secant():
    """x = -3 x + 8 at x = 2; the second factor is the exact one, 1 / (1 + 3)."""
    problem = FixedPoint(AccelerationConfig("aitken", ONE, relaxation=0.5), np.array([[-3.0]]), np.array([4.0]))
    assert problem.solve_window() == 3
    assert problem.error() < 1e-12


def test_aitken_starts_a_window_with_the_smaller_factor():
    acceleration = create(AccelerationConfig("aitken", ONE, relaxation=0.5))

    def step(old, new):
        wave = waveform([0.0], [new])
        acceleration.accelerate({KEY: Iterate(waveform([0.0], [old]), wave)}, 0.0, 1.0)
        return float(wave.last[0, 0])

    assert step(0.0, 1.0) == 0.5
    assert step(0.5, 0.5 - 3.0) == pytest.approx(0.5 - 0.125 * 3.0)  # 0.5 * 1 / 4
    acceleration.window_complete({}, 0.0, 1.0)
    assert step(0.0, 1.0) == pytest.approx(0.125)


@pytest.mark.parametrize(("kind", "weights"), [("constant", [1 / 2, 1 / 5]), ("residual", [1 / 3, 1 / 4])])
def test_aitken_weighs_several_data_with_its_preconditioner(kind, weights):
    data = (DataConfig(*KEY, scaling=2.0), DataConfig(*OTHER, scaling=5.0))
    config = AccelerationConfig("aitken", data, relaxation=0.5, preconditioner=PreconditionerConfig(kind))
    acceleration = create(config)
    first, second = np.array([1.0, 2.0]), np.array([3.0, -4.0])
    for r in (first, second):
        waves = {KEY: waveform([0.0], [r[0]]), OTHER: waveform([0.0], [r[1]])}
        acceleration.accelerate({k: Iterate(waveform([0.0], [0.0]), w) for k, w in waves.items()}, 0.0, 1.0)
    w2, delta = np.square(weights), second - first
    expected = -0.5 * (w2 * first) @ delta / ((w2 * delta) @ delta)
    assert waves[KEY].last[0, 0] / second[0] == pytest.approx(expected)


# --- preconditioners -------------------------------------------------------------------------------------------------


def weights_after(kind, calls, **options):
    config = AccelerationConfig("IQN-ILS", TWO, preconditioner=PreconditionerConfig(kind, **options))
    preconditioner = create_preconditioner(config)
    for complete, values, residuals in calls:
        preconditioner.update(complete, [np.array([v]) for v in values], [np.array([r]) for r in residuals])
    return preconditioner.weights.tolist()


def test_value_weights_follow_the_last_complete_window():
    first, second, third = (False, (2, 4), (1, 1)), (False, (9, 9), (1, 1)), (True, (5, 10), (1, 1))
    assert weights_after("value", [first, second]) == [1 / 2, 1 / 4]
    assert weights_after("value", [first, second, third]) == [1 / 5, 1 / 10]


def test_residual_weights_follow_every_iteration():
    assert weights_after("residual", [(False, (1, 1), (2, 4)), (False, (1, 1), (8, 5))]) == [1 / 8, 1 / 5]
    assert weights_after("residual", [(False, (1, 1), (2, 4)), (True, (1, 1), (8, 5))]) == [1 / 2, 1 / 4]


def test_residual_sums_gather_shares_and_wait_for_the_threshold():
    window = [(False, (1, 1), (3, 4)), (False, (1, 1), (4, 3))]
    assert weights_after("residual-sum", window) == pytest.approx([1 / 1.4, 1 / 1.4])
    later = [*window, (True, (1, 1), (0, 0)), (False, (1, 1), (3, 4))]
    assert weights_after("residual-sum", later) == pytest.approx([1 / 1.4, 1 / 1.4])
    assert weights_after("residual-sum", later, update_on_threshold=False) == pytest.approx([1 / 0.6, 1 / 0.8])
    jump = [*later[:-1], (False, (1, 1), (0.05, 1))]
    assert weights_after("residual-sum", jump)[0] == pytest.approx(np.hypot(0.05, 1) / 0.05)


def test_frozen_weights_stay():
    calls = [(False, (1, 1), (2, 4)), (True, (1, 1), (2, 4)), (False, (1, 1), (8, 5))]
    assert weights_after("residual", calls, freeze_after=1) == [1 / 2, 1 / 4]


def test_a_zero_residual_keeps_its_weight_and_says_so(caplog):
    assert weights_after("residual", [(False, (1, 1), (2, 4)), (False, (1, 1), (0, 5))]) == [1 / 2, 1 / 5]
    assert "data Heat became zero in the preconditioner" in caplog.text


# --- quasi-Newton ----------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 7), seed=st.integers(0, 1000), chosen=st.sampled_from(FILTERS), two=st.booleans())
@examples(deadline=None, max_examples=60)
def test_a_linear_fixed_point_of_n_unknowns_is_solved_in_n_plus_1_iterations(n, seed, chosen, two):
    """The n-th column makes V span all residuals; one more evaluation confirms. Degroote et al. (2009)."""
    matrix, right = linear(n, seed)
    if np.linalg.cond(np.eye(n) - matrix) > 100.0:
        return
    data = TWO if two and n > 1 else ONE
    config = AccelerationConfig("IQN-ILS", data, filter=FilterConfig(chosen, 1e-12), relaxation=0.5)
    problem = FixedPoint(config, matrix, right, tolerance=1e-7)
    assert problem.solve_window() <= n + 2
    assert problem.error() < 1e-5 * max(1.0, np.abs(right).max())


@pytest.mark.parametrize("kind", ["IQN-ILS", "IQN-IMVJ"])
def test_past_windows_make_the_next_one_easy(kind):
    matrix, right = linear(5)
    config = AccelerationConfig(kind, ONE, filter=TIGHT, time_windows_reused=3)
    problem = FixedPoint(config, matrix, right)
    counts = [problem.solve_window() for _ in range(4)]
    assert counts[0] == 7
    assert max(counts[1:]) <= 3
    assert problem.error() < 1e-8


@pytest.mark.parametrize("mode", RESTART_MODES)
def test_every_restart_mode_of_imvj_converges(mode):
    matrix, right = linear(5)
    restart = RestartConfig(mode, chunk_size=2, reused_time_windows_at_restart=2)
    problem = FixedPoint(AccelerationConfig("IQN-IMVJ", ONE, filter=TIGHT, restart=restart), matrix, right)
    counts = [problem.solve_window() for _ in range(6)]
    assert problem.error() < 1e-7
    # Only RS-0 forgets everything after a chunk of two windows.
    assert (max(counts[3:]) >= 7) == (mode == "RS-0") or mode == "RS-LS"


def test_the_jacobian_that_is_always_built_takes_the_same_steps():
    matrix, right = linear(5)
    counts, errors = [], []
    for always in (False, True):
        config = AccelerationConfig(
            "IQN-IMVJ", ONE, filter=TIGHT, restart=RestartConfig("no-restart"), always_build_jacobian=always
        )
        problem = FixedPoint(config, matrix, right)
        counts.append(problem.solve_window())
        errors.append(problem.error())
    assert counts[0] == counts[1]
    assert max(errors) < 1e-9


@pytest.mark.parametrize(("reduced", "windows"), [(True, 1), (False, 3)])
def test_substeps_take_part_in_the_update(reduced, windows):
    matrix, right = linear(3, scale=0.8)
    config = AccelerationConfig("IQN-ILS", TWO, filter=TIGHT, reduced_time_grid=reduced, relaxation=0.5)
    problem = FixedPoint(config, matrix, right, substeps=3, tolerance=1e-9)
    assert all(problem.solve_window() < 20 for _ in range(windows))
    assert problem.error() < 1e-7


def test_a_window_of_other_steps_is_sampled_on_the_first_grid():
    acceleration = create(AccelerationConfig("IQN-ILS", ONE, reduced_time_grid=False, relaxation=0.5))
    first = waveform([0.0], [1.0], [2.0], step=0.5)
    acceleration.accelerate({KEY: Iterate(waveform([0.0]), first)}, 0.0, 1.0)
    new = waveform([0.0], [1.0], [2.0], [3.0], [4.0], step=0.25)
    acceleration.accelerate({KEY: Iterate(first.copy(), new)}, 0.0, 1.0)
    assert new.stamps == [0.0, 0.5, 1.0]


def test_columns_are_counted_dropped_and_bounded():
    matrix, right = linear(4)
    config = AccelerationConfig("IQN-ILS", ONE, filter=TIGHT, max_used_iterations=3, time_windows_reused=1)
    problem = FixedPoint(config, matrix, right, tolerance=1e-3)
    iterations = problem.solve_window(most=12)
    assert problem.acceleration.log_entries() == {
        "QNColumns": 3,
        "DeletedQNColumns": 0,
        "DroppedQNColumns": iterations - 1 - 3,
    }


def test_enforced_relaxation_begins_every_window():
    matrix, right = linear(3)
    config = AccelerationConfig("IQN-ILS", ONE, filter=TIGHT, enforce_initial_relaxation=True, time_windows_reused=0)
    problem = FixedPoint(config, matrix, right)
    assert [problem.solve_window() for _ in range(3)] == [5, 5, 5]


def test_a_window_of_one_iteration_does_not_lose_the_history():
    matrix, right = linear(3)
    config = AccelerationConfig("IQN-ILS", ONE, filter=TIGHT, time_windows_reused=0)
    problem = FixedPoint(config, matrix, right)
    assert problem.solve_window() == 5
    problem.tolerance = 1e9
    assert problem.solve_window() == 1
    problem.tolerance = 1e-10
    assert problem.solve_window() <= 3


def test_a_step_that_is_no_number_is_an_error():
    acceleration = create(AccelerationConfig("IQN-ILS", ONE, relaxation=0.5))
    old, new = waveform([0.0], [1.0]), waveform([0.0], [2.0])
    acceleration.accelerate({KEY: Iterate(old, new)}, 0.0, 1.0)
    broken = {KEY: Iterate(new.copy(), waveform([0.0], [np.nan]))}
    with pytest.raises(AccelerationError, match="the quasi-Newton step is not a number"):
        acceleration.accelerate(broken, 0.0, 1.0)


def test_an_iteration_that_changes_nothing_is_told(caplog):
    acceleration = create(AccelerationConfig("IQN-ILS", ONE))
    with caplog.at_level(logging.WARNING):
        acceleration.accelerate({KEY: Iterate(waveform([1.0], [1.0]), waveform([1.0], [1.0]))}, 0.0, 1.0)
    assert "the coupling residual is zero" in caplog.text


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ignore", [0.2, 1.4, -0.3, 7.0]),
        ("clamp", [0.2, 1.0, 0.0, 7.0]),
        ("discard", [0.0, 0.4, 0.3, 5.0]),
        ("scale", [0.1, 0.9, 0.0, 6.0]),
    ],
)
def test_bounds_are_kept_by_policy(policy, expected):
    before, step = np.array([0.0, 0.4, 0.3, 5.0]), np.array([0.2, 1.0, -0.6, 2.0])
    vector, wave = before + step, waveform([0.0])
    iterates = {KEY: Iterate(wave, wave, (0.0,), (1.0,)), OTHER: Iterate(wave, wave)}
    keep_within_bounds(vector, step, iterates, {KEY: slice(0, 3), OTHER: slice(3, 4)}, policy)
    np.testing.assert_allclose(vector, expected, atol=1e-15)


# --- settings --------------------------------------------------------------------------------------------------------


def test_defaults_depend_on_the_kind():
    ils, imvj, aitken = (AccelerationConfig(kind, ONE) for kind in ("IQN-ILS", "IQN-IMVJ", "aitken"))
    assert (ils.relaxation_or_default, imvj.relaxation_or_default, aitken.relaxation_or_default) == (0.1, 0.1, 0.5)
    assert (ils.max_used_iterations_or_default, imvj.max_used_iterations_or_default) == (100, 20)
    assert (ils.time_windows_reused_or_default, imvj.time_windows_reused_or_default) == (10, 0)
    assert imvj.restart_or_default == RestartConfig("RS-SVD", 8)
    assert AccelerationConfig("IQN-IMVJ", ONE, always_build_jacobian=True).restart_or_default.kind == "no-restart"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (AccelerationConfig("constant", relaxation=0.0), "relaxation of the constant acceleration is 0.0"),
        (AccelerationConfig("aitken", ONE, relaxation=1.5), "initial-relaxation of the aitken acceleration is 1.5"),
        (AccelerationConfig("IQN-ILS", ONE, max_used_iterations=0), "max-used-iterations is 0"),
        (AccelerationConfig("IQN-ILS", ONE, time_windows_reused=-1), "time-windows-reused is -1"),
        (AccelerationConfig("IQN-ILS", ONE * 2), '<data name="Heat" mesh="Mesh"/> is given more than once'),
        (
            AccelerationConfig("IQN-IMVJ", ONE, always_build_jacobian=True, restart=RestartConfig("RS-0")),
            "always-build-jacobian cannot be combined with the restart mode RS-0",
        ),
        (AccelerationConfig("IQN-IMVJ", ONE, restart=RestartConfig("RS-0", 0)), "chunk-size of the restart mode is 0"),
        (
            AccelerationConfig(
                "IQN-ILS", (DataConfig(*KEY, scaling=0.0),), preconditioner=PreconditionerConfig("constant")
            ),
            'the scaling of <data name="Heat" mesh="Mesh"/> must not be 0',
        ),
    ],
)
def test_wrong_values_are_named(config, text):
    found = problems(config)
    assert len(found) == 1
    assert text in found[0]


def test_good_values_are_not_complained_about():
    assert problems(AccelerationConfig("IQN-ILS", TWO)) == []
