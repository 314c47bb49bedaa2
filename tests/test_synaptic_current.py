"""A rate to the current of synapses: charge is conserved, kernels are exact, units are those of the control."""

import numpy as np
import pytest
import xmlschema

from adapters.scaling import config, schema
from adapters.scaling.drive import FilteredSpikes, SynapticCurrent
from adapters.scaling.model import ScaledModel
from adapters.spikes import Spikes
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

NUMBER = Field("1", per="window", help="input", optional=True)
POINTS = np.array([[3.0], [17.0]])
EVERY = ("none", "exponential", "alpha")
CURRENTS = (SynapticCurrent, FilteredSpikes)


def delivered(chosen, rates, windows, dt, field=NUMBER):
    """The input (n, k) for rates (n, k) [Hz] in parts of dt [s] that come in so many windows, and the last memory."""
    memory = chosen.start(field, POINTS[: len(rates)], 1)
    found = []
    for part in np.split(rates, windows, axis=1):
        current, memory = chosen.downscale(part, memory, dt * part.shape[1], ())
        found.append(current)
    return np.concatenate(found, axis=1), memory


def test_the_answer_to_a_step():
    """Means over the parts of K q r (1 - exp(-t / tau)) and K q r (1 - (1 + t / tau) exp(-t / tau))."""
    tau, dt = 5e-3, 2e-3
    t = dt * np.arange(11)
    left = {"exponential": tau * np.exp(-t / tau), "alpha": (t + 2 * tau) * np.exp(-t / tau)}
    for kernel, integral in left.items():
        chosen = SynapticCurrent(charge="50 ms", kernel=kernel, time=5.0, synapses=4)
        current, _ = delivered(chosen, np.full((1, 10), 20.0), 5, dt)
        expected = chosen.mean(20.0, "1") * (1 + np.diff(integral) / dt)
        assert chosen.mean(20.0, "1") == pytest.approx(4 * 0.05 * 20)
        np.testing.assert_allclose(current[0], expected, rtol=1e-11)
    current, _ = delivered(SynapticCurrent(charge="50 ms"), np.full((1, 10), 20.0), 5, dt)
    np.testing.assert_allclose(current, 1.0, rtol=1e-15)


@pytest.mark.parametrize("kernel", EVERY)
def test_the_length_of_the_window_is_of_no_consequence(kernel):
    rates = np.random.default_rng(1).normal(10, 20, (2, 40))
    chosen = SynapticCurrent(charge="50 ms", kernel=kernel, time=3.0)
    long, after_long = delivered(chosen, rates, 4, 1e-3)
    short, after_short = delivered(chosen, rates, 40, 1e-3)
    np.testing.assert_allclose(short, long, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(after_short["filter"], after_long["filter"], rtol=1e-11)


@pytest.mark.parametrize("kernel", EVERY)
def test_charge_and_delay(kernel):
    """A pulse of rate: its charge arrives to round-off, its centre later by what the map says."""
    chosen = SynapticCurrent(charge="50 ms", kernel=kernel, time=3.0, synapses=2)
    rates = np.zeros((1, 300))
    rates[0, :4] = [5.0, 0.0, 80.0, 30.0]
    current, memory = delivered(chosen, rates, 30, 1e-3)
    assert current.sum() * 1e-3 == pytest.approx(2 * 0.05 * rates.sum() * 1e-3, rel=1e-12)
    centres = 1e-3 * (np.arange(300) + 0.5)
    delay = (current @ centres / current.sum() - rates @ centres / rates.sum())[0]
    assert delay == pytest.approx(chosen.delay, abs=1e-12)
    assert chosen.delay == {"none": 0, "exponential": 3e-3, "alpha": 6e-3}[kernel]
    assert chosen.audit(memory, "1")[0].passed
    assert chosen.variance(20.0, "1", 1e-3) == 0


@pytest.mark.parametrize("kernel", EVERY)
def test_the_audit_is_sharp(kernel):
    """While the filter still holds some of the charge; rates of either sign, and a charge that inhibits."""
    chosen = SynapticCurrent(charge="-20 pA*ms", kernel=kernel, time=3.0)
    field = Field("pA", per="window")
    rates = np.random.default_rng(2).normal(0, 20, (2, 40))
    _, memory = delivered(chosen, rates, 4, 1e-3, field)
    (check,) = chosen.audit(memory, "pA")
    assert check.passed
    assert check.unit == "(pA)*s"
    assert np.abs(check.reference - -0.02 * rates.sum(axis=1) * 1e-3).min() < 1e-12
    scale = 0.02 * np.abs(rates).sum() * 1e-3
    (wrong,) = chosen.audit({**memory, "delivered": memory["delivered"] + [0, 1e-7 * scale]}, "pA")
    assert not wrong.passed
    assert chosen.audit(chosen.start(field, POINTS, 1), "pA") == []
    if kernel != "none":
        held = {**memory, "filter": memory["filter"] * (1 + 1e-6)}
        assert not chosen.audit(held, "pA")[0].passed


@pytest.mark.parametrize("kernel", EVERY)
def test_no_time_shows_what_holds_and_changes_nothing(kernel):
    chosen = SynapticCurrent(charge="50 ms", kernel=kernel, time=3.0)
    begun = chosen.start(NUMBER, POINTS, 1)
    rates = np.full((2, 4), 20.0)
    now, same = chosen.downscale(rates, begun, 0.0, ())
    np.testing.assert_allclose(now, np.full((2, 4), 1.0 if kernel == "none" else 0.0))
    assert same is begun
    kept = {name: values.copy() for name, values in begun.items()}
    _, after = chosen.downscale(rates, begun, 1e-3, ())
    for name, values in kept.items():
        np.testing.assert_array_equal(begun[name], values)
        assert (after[name].shape, after[name].dtype) == (values.shape, values.dtype)
    later = after
    for _ in range(100):
        _, later = chosen.downscale(rates, later, 1e-3, ())
    now, _ = chosen.downscale(rates, later, 0.0, ())
    np.testing.assert_allclose(now, 1.0, rtol=1e-8)


@pytest.mark.parametrize("chosen", CURRENTS)
@pytest.mark.parametrize(
    ("unit", "charge", "expected"),
    [
        ("1", "50 ms", 0.05),
        ("pA", "20 pA*ms", 0.02),
        ("pA", "20 fC", 0.02),
        ("mV/ms", "2 mV", 2.0),
        ("nA", "-1 pC", -1),
    ],
)
def test_units_of_the_charge(chosen, unit, charge, expected):
    """In the unit of the control times s: mV/ms s is a thousand mV, so 2 mV are 0.002 of it."""
    made = chosen(charge=charge)
    field = Field(unit, per="window")
    assert made.misfit(field) == ""
    factor = {"mV/ms": 1e-3, "nA": 1e-3}.get(unit, 1)
    np.testing.assert_allclose(made.start(field, POINTS, 1)["charge"], expected * factor, rtol=1e-14)


@pytest.mark.parametrize("chosen", CURRENTS)
@pytest.mark.parametrize(
    ("unit", "charge", "told"),
    [
        ("1", "50", "charge in 's', the unit of the control times s: '1' (a pure number) cannot be converted to 's' ("),
        ("1", "20 pA*ms", "charge in 's', the unit of the control times s: 'pA*ms' ("),
        ("pA", "50 ms", "charge in '(pA)*s', the unit of the control times s: 'ms' ([time]) cannot be converted to '("),
        ("pA", "strong", "charge in '(pA)*s', the unit of the control times s: 'strong' does not begin with a number"),
    ],
)
def test_a_charge_that_does_not_fit(chosen, unit, charge, told):
    assert chosen(charge=charge).misfit(Field(unit, per="window")).startswith(told)


@pytest.mark.parametrize("chosen", CURRENTS)
def test_what_fits(chosen):
    made = chosen(charge="50 ms")
    for per in ("point", "grid", "spikes"):
        assert made.misfit(Field("1", per=per)) == "a control that is a signal in the window"
    assert made.gives(NUMBER) == Field("Hz", per="window", help="input", optional=True)


# In a file ------------------------------------------------------------------------------------------------------------

FILE = """<scaling precice-config="brain.xml">
  <downscale data="Afferent-Rate" unit="Hz" to="spikes" map="poisson-spikes" synapses="80" />
  <downscale data="Excitation" unit="kHz" to="current" map="synaptic-current" charge="50 ms" kernel="alpha"
             time="2 ms" />
  <downscale data="Background" unit="1/s" to="noise" map="filtered-spikes" charge="1 ms" synapses="40" />
  <upscale data="Column-Rate" unit="Hz" from="spikes" map="population-rate" kernel="gaussian" time="0.003 s" />
</scaling>
"""


class Echo:
    """Neurons that pass on the spikes they get, and nothing else."""

    controls = {  # noqa: RUF012
        "spikes": Field("1", per="spikes"),
        "current": Field("1", per="window"),
        "noise": Field("1", per="window"),
    }
    observables = {"spikes": Field("1", per="spikes")}  # noqa: RUF012
    neurons = 30

    def start(self, points, controls):
        assert controls["spikes"].duration == 0
        return {"current": controls["current"][:, -1]}

    def solve(self, state, controls, dt):
        spikes = controls["spikes"] if dt else Spikes.none(len(state["current"]), self.neurons, 0.0)
        return {"current": controls["current"][:, -1]}, {"spikes": spikes}


def read(tmp_path, text=FILE):
    (tmp_path / "brain.scaling.xml").write_text(text)
    return config.load(tmp_path / "brain.scaling.xml")


def test_all_of_it_in_a_file(tmp_path):
    """A rate of 20 Hz comes back 80 times as high from 80 synapses, and is a current of 50 ms times 20 Hz."""
    scaling = read(tmp_path)
    xmlschema.XMLSchema(schema.text()).validate(FILE)
    assert scaling.down[1].map == SynapticCurrent(charge="50 ms", kernel="alpha", time=2.0)
    assert scaling.up[0].map.time == 3.0
    model = ScaledModel(Echo(), scaling, seed=2)
    assert {name: (field.unit, field.per) for name, field in (model.controls | model.observables).items()} == {
        "Afferent-Rate": ("Hz", "window"),
        "Excitation": ("kHz", "window"),
        "Background": ("1/s", "window"),
        "Column-Rate": ("Hz", "window"),
    }
    controls = {name: np.full((2, 5), rate) for name, rate in zip(model.controls, (20.0, 0.02, 20.0), strict=True)}
    state = model.start(POINTS, controls)
    for _ in range(20):
        begin = state
        state, seen = model.solve(state, controls, 0.005)
    assert seen["Column-Rate"].shape == (2, 5)
    np.testing.assert_allclose(seen["Column-Rate"], 80 * 20, rtol=0.2)
    np.testing.assert_allclose(state["model"]["current"], 0.05 * 20, rtol=1e-6)
    found = model.audit(begin, state)
    assert all(check.passed for check in found)
    assert [check.name.split(":")[0] for check in found] == [
        *["Afferent-Rate"] * 2,
        "Excitation",
        *["Background"] * 3,
        "Column-Rate",
    ]


def test_two_maps_of_a_kind_draw_different_spikes(tmp_path):
    """Two data at the same place, as excitation and inhibition are: what they bring is not correlated."""
    text = FILE.replace('map="synaptic-current" charge', 'map="filtered-spikes" charge').replace("0.003 s", "3 ms")
    text = text.replace('charge="50 ms" kernel="alpha"\n             time="2 ms"', 'charge="1 ms" synapses="40"')
    model = ScaledModel(Echo(), read(tmp_path, text), seed=2)
    rates = {name: np.full((2, 500), 0.02 if name == "Excitation" else 20.0) for name in model.controls}
    state = model.start(POINTS, rates)
    driven, _ = model._downscale(state["maps"], rates, 0.5)
    for one, other in zip(driven["current"], driven["noise"], strict=True):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / 500**0.5


def test_what_is_wrong_in_a_file(tmp_path):
    text = FILE.replace(' charge="50 ms"', "").replace('time="0.003 s"', 'time="3"').replace("gaussian", "gausian")
    with pytest.raises(ConfigurationError) as error:
        read(tmp_path, text.replace('synapses="80"', 'synapses="0"'))
    assert [str(finding).split("brain.scaling.xml:")[1] for finding in error.value.findings] == [
        '2: <downscale data="Afferent-Rate">.synapses: 0 is out of bounds; expected a whole number at least 1',
        '3: <downscale data="Excitation">.charge: is not given and has no default (a text)',
        "6: <upscale data=\"Column-Rate\">.kernel: 'gausian' is not a choice; expected one of alpha, counts, "
        "exponential, gaussian. Did you mean 'gaussian'?",
        "6: <upscale data=\"Column-Rate\">.time: '3' has no unit; expected a quantity in 'ms', such as '3 ms'",
    ]


def test_units_that_do_not_fit_the_model(tmp_path):
    text = FILE.replace('charge="50 ms"', 'charge="50 pA*ms"').replace('unit="1/s"', 'unit="mV"')
    with pytest.raises(ConfigurationError) as error:
        ScaledModel(Echo(), read(tmp_path, text))
    first, second = error.value.findings
    assert first.line == 3
    assert (
        "'synaptic-current' does not fit 'current'; expected charge in 's', the unit of the control times s: 'pA*ms'"
        in str(first)
    )
    assert (second.line, second.key) == (5, '<downscale data="Background">.unit')
