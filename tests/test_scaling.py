"""A micro model behind its scaling maps: units, memory, audits, and what its state may not do."""

from dataclasses import dataclass

import numpy as np
import pytest

from adapters import micro, seeds
from adapters.scaling.averages import Uniform, VolumeAverage
from adapters.scaling.config import Entry, Scaling
from adapters.scaling.homogenisation import EffectiveTensor, Voigt
from adapters.scaling.model import ScaledModel
from adapters.scaling.permeability import Permeability
from adapters.scaling.protocol import ScalingError
from adapters.spikes import Spikes
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])


class Layers:
    """Layers of two materials, the first of which widens with temperature; a model of the simplest kind."""

    cell_shape = (8, 4)
    cell_size = (1e-3, 1e-3)

    def __init__(self):
        self.controls = {"temperature": Field("K")}
        self.observables = {
            "indicator": Field("1", per="grid"),
            "conductivity": Field("W/(m*K)", per="grid"),
            "flux": Field("W/m**2", rank=1, per="grid"),
            "energy": Field("J"),
        }
        self.seen = []

    def start(self, points, controls):
        return {"temperature": controls["temperature"]}

    def solve(self, state, controls, dt):
        T = state["temperature"] if dt == 0 else controls["temperature"]
        self.seen.append(T)
        indicator = np.broadcast_to((np.arange(8.0)[:, None] < T[:, None, None] - 270), (len(T), 8, 4)).astype(float)
        flux = indicator[..., None] * [1.0, -2.0]
        observables = {"indicator": indicator, "conductivity": 1 + 3 * indicator, "flux": flux, "energy": T * 1e3}
        return {"temperature": T}, observables

    def snapshot(self, state):
        return {"temperature": state["temperature"]}

    def audit(self, before, after):
        change = (after["temperature"] - before["temperature"]).sum()
        return [checks.absolute("energy", change, change, 1e-10, source="by definition")]


def scaling(down=None, up=()):
    down = [Entry("Temperature", "degC", "temperature", Uniform(), 2)] if down is None else down
    return Scaling("case.scaling.xml", "case.xml", tuple(down), tuple(up))


UP = (
    Entry("Liquid-Fraction", "percent", "indicator", VolumeAverage(), 3),
    Entry("Conductivity", "W/(cm*K)", "conductivity", EffectiveTensor(tolerance=1e-12), 4),
    Entry("Heat-Flux", "kW/m**2", "flux", VolumeAverage(), 5),
    Entry("Energy", "kJ", "energy", VolumeAverage(), 6),
)


def solved(T_celsius=(-0.15, 0.85, 3.85)):
    model = ScaledModel(Layers(), scaling(up=UP))
    controls = {"Temperature": np.array(T_celsius)}
    start = model.start(POINTS, controls)
    return model, start, *model.solve(start, controls, 1.0)


def test_fields_are_coupling_data_in_their_units():
    model, *_ = solved()
    assert model.controls == {"Temperature": Field("degC")}
    assert model.observables == {
        "Liquid-Fraction": Field("percent"),
        "Conductivity": Field("W/(cm*K)", rank=2),
        "Heat-Flux": Field("kW/m**2", rank=1),
        "Energy": Field("kJ"),
    }
    assert isinstance(model, micro.MicroModel)
    assert isinstance(model, micro.Pictured)
    assert isinstance(model, micro.Audited)


def test_values_are_converted_both_ways():
    """273.0, 274.0 and 277.0 K make 3, 4 and 7 of 8 layers of 4 W/(m K) among 1 W/(m K)."""
    model, _, _, seen = solved()
    np.testing.assert_allclose(model.model.seen[-1], [273.0, 274.0, 277.0])
    share = np.array([3, 4, 7]) / 8
    np.testing.assert_allclose(seen["Liquid-Fraction"], 100 * share)
    across, along = 1 / (share / 4 + 1 - share), 4 * share + 1 - share
    expected = np.zeros((3, 2, 2))
    expected[:, 0, 0], expected[:, 1, 1] = across / 100, along / 100
    np.testing.assert_allclose(seen["Conductivity"], expected, atol=1e-12)
    np.testing.assert_allclose(seen["Heat-Flux"], share[:, None] * [1e-3, -2e-3])
    np.testing.assert_allclose(seen["Energy"], [273.0, 274.0, 277.0])


def test_a_map_may_give_another_unit_than_it_reads():
    """A pure number in, a permeability out, in mm^2: h^3/12L along the channel between 4 of 8 layers."""
    model = ScaledModel(Layers(), scaling(up=(Entry("Permeability", "mm^2", "indicator", Permeability(), 3),)))
    assert model.observables == {"Permeability": Field("mm^2", rank=2)}
    controls = {"Temperature": np.array([0.85])}
    seen = model.solve(model.start(POINTS[:1], controls), controls, 1.0)[1]["Permeability"]
    length = model.cell_size[0]
    assert seen[0, 1, 1] == pytest.approx(1e6 * (length / 2) ** 3 / (12 * length), rel=1e-3)


def test_the_state_is_a_batch_from_the_start_on():
    """The same arrays before and after, n rows everywhere: so it can be split, joined and written to a file."""
    _, start, end, _ = solved()
    assert [path for path, _ in micro.arrays(start)] == [path for path, _ in micro.arrays(end)]
    assert micro.rows(start) == micro.rows(end) == 3
    assert {path for path, _ in micro.arrays(end)} >= {"model/temperature", "maps/Conductivity/corrector"}


def test_rows_are_independent():
    """Half of the batch solved elsewhere and joined again: the same tensors and the same memory."""
    model, start, end, seen = solved()
    controls = {"Temperature": np.array([-0.15, 0.85, 3.85])}
    parts = [
        model.solve(micro.take(start, rows), {"Temperature": controls["Temperature"][rows]}, 1.0)
        for rows in (slice(0, 1), slice(1, 3))
    ]
    joined = micro.concatenate([state for state, _ in parts])
    for (path, one), (_, other) in zip(micro.arrays(end), micro.arrays(joined), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12, err_msg=path)
    for name, values in seen.items():
        np.testing.assert_allclose(np.concatenate([s[name] for _, s in parts]), values, atol=1e-12)


def test_repeating_a_window_gives_the_same_again():
    """State in, state out: an iteration that is thrown away leaves no trace, also not in the warm start."""
    model, _, begin, _ = solved()
    kept = micro.apply(np.copy, begin)
    warm = {"Temperature": np.array([1.0, 2.0, 3.0])}
    _, once = model.solve(begin, warm, 1.0)
    model.solve(begin, {"Temperature": np.array([6.0, -2.0, 0.0])}, 1.0)
    for (path, now), (_, before) in zip(micro.arrays(begin), micro.arrays(kept), strict=True):
        np.testing.assert_array_equal(now, before, err_msg=path)
    _, twice = model.solve(begin, warm, 1.0)
    for name, values in once.items():
        np.testing.assert_array_equal(twice[name], values)


def test_no_time_shows_the_state_as_it_is():
    model, _, end, seen = solved()
    _, again = model.solve(end, {"Temperature": np.array([9.0, 9.0, 9.0])}, 0.0)
    for name, values in seen.items():
        np.testing.assert_array_equal(again[name], values)


def test_observables_may_be_changed_by_who_gets_them():
    model, _, end, seen = solved()
    expected = {name: values.copy() for name, values in seen.items()}
    for values in seen.values():
        values += 1
    _, again = model.solve(end, {"Temperature": np.zeros(3)}, 0.0)
    for name, values in expected.items():
        np.testing.assert_array_equal(again[name], values)


def test_audits_of_model_and_maps():
    model, start, end, _ = solved()
    found = model.audit(start, end)
    names = [check.name for check in found]
    assert names[0] == "energy"
    assert [name.split(":")[0] for name in names[1:]] == ["Liquid-Fraction", "Conductivity", "Heat-Flux"]
    assert all(check.passed for check in found)
    broken = {"model": end["model"], "maps": {**end["maps"]}}
    for data in ("Liquid-Fraction", "Heat-Flux"):
        broken["maps"][data] = {**end["maps"][data], "mean": end["maps"][data]["mean"] + 2}
    broken["maps"]["Conductivity"] = {
        **end["maps"]["Conductivity"],
        "tensor": end["maps"]["Conductivity"]["tensor"] * 9,
    }
    assert [check.passed for check in model.audit(start, broken)] == [True, False, False, False]


def test_snapshot_is_the_models():
    model, _, end, _ = solved()
    assert list(model.snapshot(end)) == ["temperature"]
    assert (model.cell_shape, model.cell_size) == ((8, 4), (1e-3, 1e-3))


def test_a_model_without_pictures_and_audits():
    class Bare:
        def __init__(self):
            self.controls, self.observables = {"load": Field("Pa")}, {"strain": Field("1")}

        def start(self, points, controls):
            return {}

        def solve(self, state, controls, dt):
            return state, {"strain": controls["load"] / 1e9}

    model = ScaledModel(
        Bare(),
        scaling([Entry("Stress", "MPa", "load", Uniform(), 2)], [Entry("Strain", "1", "strain", VolumeAverage(), 3)]),
    )
    start = model.start(POINTS, {"Stress": np.ones(3)})
    end, seen = model.solve(start, {"Stress": np.ones(3)}, 1.0)
    np.testing.assert_allclose(seen["Strain"], 1e-3)
    assert model.snapshot(end) == {}
    assert model.audit(start, end) == []
    assert model.cell_shape == ()


def test_uniform_fills_the_grid_of_a_control_that_has_one():
    vector = np.array([[1.0, 2.0], [3.0, 4.0]])
    spread, _ = Uniform().downscale(vector, {}, 1.0, (4, 5))
    assert spread.shape == (2, 4, 5, 2)
    np.testing.assert_array_equal(spread.mean(axis=(1, 2)), vector)
    np.testing.assert_array_equal(spread.std(axis=(1, 2)), 0)
    assert Uniform().gives(Field("K", rank=1, per="grid")) == Field("K", rank=1)


def test_volume_average_keeps_the_integral():
    values = np.random.default_rng(0).normal(size=(5, 6, 7, 2, 2))
    field = Field("Pa", rank=2, symmetric=False, per="grid")
    map_ = VolumeAverage()
    mean, memory = map_.upscale(values, map_.start(field, 5, (6, 7)), (1.0, 1.0))
    np.testing.assert_allclose(mean * 42, values.sum(axis=(1, 2)), rtol=1e-12)
    mean += 100  # of no consequence to the state
    assert map_.audit(memory, "Pa")[0].passed
    assert map_.audit(map_.start(field, 0, (6, 7)), "Pa") == []


# What does not fit ----------------------------------------------------------------------------------------------------


def test_all_that_does_not_fit_comes_at_once():
    down = [Entry("Temperature", "bar", "temperature", Uniform(), 2), Entry("Load", "Pa", "lod", Uniform(), 3)]
    up = [
        Entry("Fraction", "1", "indicater", VolumeAverage(), 4),
        Entry("Conductivity", "W", "conductivity", Voigt(), 5),
        Entry("Flux", "W/m**2", "flux", EffectiveTensor(), 6),
    ]
    with pytest.raises(ConfigurationError) as error:
        ScaledModel(Layers(), scaling(down, up))
    assert [(f.line, f.key, f.nearest) for f in error.value.findings] == [
        (2, '<downscale data="Temperature">.unit', None),
        (3, '<downscale data="Load">', None),
        (4, '<upscale data="Fraction">', "indicator"),
        (5, '<upscale data="Conductivity">.unit', None),
        (6, '<upscale data="Flux">', None),
    ]
    text = str(error.value)
    assert "'bar'" in text
    assert "the micro model has no control 'lod'; expected temperature" in text
    assert (
        "the micro model has no observable 'indicater'; expected one of conductivity, energy, flux, indicator" in text
    )
    assert "'effective-tensor' does not fit 'flux'; expected a scalar coefficient per grid cell (or per point)" in text


def test_a_control_without_value():
    with pytest.raises(ConfigurationError, match="control 'temperature' of the micro model gets no value"):
        ScaledModel(Layers(), scaling(down=[]))


# Signals and spikes ---------------------------------------------------------------------------------------------------


class Cells:
    """Every neuron fires once in every window, at a time that the current says; the stimulus may be absent."""

    controls = {  # noqa: RUF012
        "current": Field("pA", per="window"),
        "stimulus": Field("pA", per="window", optional=True),
    }
    observables = {"spikes": Field("1", per="spikes"), "current": Field("pA", per="window")}  # noqa: RUF012
    neurons = 7

    def start(self, points, controls):
        return {"age": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        n = len(state["age"])
        assert "stimulus" not in controls
        seen = {"spikes": Spikes.none(n, 7, 0.0), "current": controls["current"]}
        if dt:
            fired = np.repeat(np.clip(controls["current"].mean(axis=1), 0.1, 1.0) * dt, 7)
            numbers = np.arange(7 * n)
            seen["spikes"] = Spikes.of(numbers // 7, numbers % 7, fired, rows=n, neurons=7, duration=dt)
        return {"age": state["age"] + dt}, seen


@dataclass(frozen=True)
class Count:
    """The number of spikes in each part of the window, as a rate; remembers all that it has counted."""

    name = "count"
    preserves = "the number of spikes"

    def misfit(self, field):
        return "" if field.per == "spikes" else "spikes"

    def gives(self, field):
        return Field("Hz", per="window")

    def start(self, field, n, cells):
        return {"counted": np.zeros(n), "neurons": np.full(n, cells[0])}

    def upscale(self, values, memory, size):
        counts = values.counts()
        rate = counts / max(values.duration, 1e-300) / memory["neurons"][:, None]
        return rate, {**memory, "counted": memory["counted"] + counts.sum(axis=1)}

    def audit(self, memory, unit):
        return [checks.absolute("spikes", memory["counted"].max(), 14, 0, source="two windows")]


@dataclass(frozen=True)
class Leaky:
    """What comes down, plus what has come before: a map down with a memory."""

    name = "leaky"
    preserves = "nothing"

    def misfit(self, field):
        return ""

    def gives(self, field):
        return Field("fA", per="window")  # not the unit of the control: what comes down is of another kind

    def start(self, field, points, seed):
        return {"last": np.full(len(points), 1.0 + seed % 7) + points[:, 0]}

    def downscale(self, values, memory, dt, cells):
        if values.min() < 0:
            raise ScalingError("is negative", rows=np.flatnonzero(values.min(axis=1) < 0))
        values = values / 1e3
        return values + memory["last"][:, None], memory if dt == 0 else {"last": values[:, -1]}

    def audit(self, memory, unit):
        return [checks.absolute("last", memory["last"].max(), 0.5, 1e-12, source="what came", unit=unit)]


SIGNALS = scaling(
    [Entry("Drive", "nA", "current", Leaky(), 2)],
    [Entry("Rate", "kHz", "spikes", Count(), 3), Entry("Seen", "pA", "current", VolumeAverage(), 4)],
)


def test_signals_go_down_and_spikes_come_up():
    model = ScaledModel(Cells(), SIGNALS, seed=3)
    assert model.controls == {"Drive": Field("nA", per="window")}
    assert model.observables == {"Rate": Field("kHz", per="window"), "Seen": Field("pA", per="window")}
    drive = {"Drive": np.full((3, 4), 0.5e-3)}  # 0.5 pA
    begun = model.start(POINTS, drive)
    seed = 1 + seeds.named(3, "Drive") % 7
    np.testing.assert_array_equal(begun["maps"]["Drive"]["last"], seed + POINTS[:, 0])  # dt = 0 has changed nothing
    state, seen = model.solve(begun, drive, 0.0)
    assert not seen["Rate"].any()
    assert seen["Rate"].shape == seen["Seen"].shape == (3, 4)
    state, seen = model.solve(state, drive, 2e-3)
    np.testing.assert_allclose(seen["Seen"], seed + 0.5 + POINTS[:, :1] + np.zeros(4))
    expected = np.array([0, 0, 0, 7]) / 2e-3 / 7 * 1e-3  # all of them at the very end of the window
    np.testing.assert_allclose(seen["Rate"], np.broadcast_to(expected, (3, 4)))
    again, _ = model.solve(state, drive, 2e-3)
    assert [c.name for c in model.audit(state, again)] == ["Drive: last", "Rate: spikes"]
    assert all(c.passed for c in model.audit(state, again))
    assert not model.audit(begun, state)[1].passed


def test_errors_of_a_map_down_say_which_data_and_where():
    model = ScaledModel(Cells(), SIGNALS)
    start = model.start(POINTS, {"Drive": np.zeros((3, 4))})
    with pytest.raises(ScalingError, match=r"Drive \(.*:2\), to 'current': is negative") as error:
        model.solve(start, {"Drive": np.array([[0.0] * 4, [-1.0] * 4, [0.0] * 4])}, 1e-3)
    assert error.value.rows.tolist() == [1]


def test_spikes_that_are_none_and_signals_that_are_too_short():
    model = ScaledModel(Cells(), SIGNALS)
    start = model.start(POINTS, {"Drive": np.zeros((3, 4))})
    solve = model.model.solve
    for name, wrong, message in (
        ("spikes", np.zeros((3, 4)), r"'spikes' is declared as spikes, the micro model gave \(3, 4\)"),
        ("current", np.zeros(3), r"'current' is declared of shape \(n, k\), the micro model gave \(3,\)"),
    ):
        model.model.solve = lambda *a, name=name, wrong=wrong: (a[0], {**solve(*a)[1], name: wrong})
        with pytest.raises(ScalingError, match=message):
            model.solve(start, {"Drive": np.zeros((3, 4))}, 1e-3)


@pytest.mark.parametrize("map_", [Uniform(), VolumeAverage()])
def test_maps_of_values_do_not_fit_spikes(map_):
    assert map_.misfit(Field("1", per="spikes")) == "a field with values, not spikes"
    assert map_.gives(Field("Hz", per="window")) == Field("Hz", per="window")


def test_an_observable_of_another_shape_than_declared():
    model = ScaledModel(Layers(), scaling(up=UP[:1]))
    model.model.cell_shape = model.cell_shape = (8, 5)
    start = model.start(POINTS, {"Temperature": np.zeros(3)})
    message = r"'indicator' is declared of shape \(n, 8, 5\), the micro model gave \(3, 8, 4\)"
    with pytest.raises(ScalingError, match=message):
        model.solve(start, {"Temperature": np.zeros(3)}, 1.0)


def test_errors_of_a_map_say_which_data_and_where():
    entry = Entry("Conductivity", "W/(m*K)", "conductivity", EffectiveTensor(), 7)
    model = ScaledModel(Layers(), scaling(up=[entry]))
    solve = model.model.solve

    def spoiled(state, controls, dt):
        state, observables = solve(state, controls, dt)
        observables["conductivity"][1, 2, 3] = -1
        return state, observables

    model.model.solve = spoiled
    start = model.start(POINTS, {"Temperature": np.zeros(3)})
    message = (
        r"^Conductivity \(case\.scaling\.xml:7\), from 'conductivity': effective-tensor: the coefficient at cell "
        r"\(2, 3\) is -1; expected a finite number, not negative \(row 1 of the batch\)$"
    )
    with pytest.raises(ScalingError, match=message):
        model.solve(start, {"Temperature": np.zeros(3)}, 1.0)
