"""What holds for every answer the charger's cloud could give."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from zappi_records import LEFT_OUT, NOW, THRESHOLD_W, parse_records, zappi_record

from smartcharge.policy.model import ChargerState
from smartcharge.providers.myenergi import parse_reading

CHARGING, UNKNOWN = ChargerState.CHARGING, ChargerState.UNKNOWN

ANY_NUMBER = st.integers() | st.floats() | st.just(10**400) | st.just(-(10**400))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | ANY_NUMBER | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("sno", "dat", "tim", "ectt1", "ectp1", "ectt2", "ectp2", "div", "pst", "che", "status")
ODD_VALUES = ANY_JSON | st.sampled_from(
    ["Internal Load", "C2", "22-11-2026", "13:29:40", LEFT_OUT, 0, 500, 7150, -7150]
)
ODD_RECORDS = st.dictionaries(st.sampled_from(KEYS), ODD_VALUES).map(lambda changes: zappi_record(**changes))
ODD_ANSWERS = ANY_JSON | st.lists(ODD_RECORDS | ANY_JSON, max_size=3).map(lambda group: {"zappi": group})


@given(answer=ODD_ANSWERS, pinned=st.none() | st.just("17000001"))
def test_no_answer_makes_it_fail(answer: object, pinned: str | None) -> None:
    reading = parse_reading(answer, NOW, threshold_w=THRESHOLD_W, pinned_serial=pinned)

    assert reading.at == NOW
    assert reading.why.isprintable()
    assert (reading.watts is None) == (reading.state is UNKNOWN)


STAMPS = st.timedeltas(timedelta(hours=-3), timedelta(hours=3)).map(lambda age: NOW - age)
FIGURES = st.integers(-9000, 9000) | st.sampled_from([None, "7150", True, float("nan"), LEFT_OUT])
PILOTS = st.sampled_from(["A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F", "", None])


@given(stamp=STAMPS, clamp_w=FIGURES, div_w=FIGURES, pilot=PILOTS)
def test_a_charge_is_fresh_and_measured_and_asked_for(
    stamp: datetime, clamp_w: object, div_w: object, pilot: object
) -> None:
    changes = {"dat": f"{stamp:%d-%m-%Y}", "tim": f"{stamp:%H:%M:%S}", "ectp1": clamp_w, "div": div_w, "pst": pilot}

    reading = parse_records(zappi_record(**changes))

    if reading.state is not UNKNOWN:
        assert timedelta(minutes=-65) <= NOW - stamp.replace(microsecond=0) <= timedelta(seconds=300)
        assert all((isinstance(each, int) and each is not True) or each is LEFT_OUT for each in (clamp_w, div_w))
    if reading.state is CHARGING:
        assert pilot in {"C1", "C2", "D1", "D2"}
        assert max(each for each in (clamp_w, div_w) if isinstance(each, int)) >= THRESHOLD_W
