"""What the collector is told of answers by the real server."""

import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice_collector.protocol import Batch
from sluice_server.comparing import MOST_PREDICTIONS, Answer, asked
from sluice_server.protocols.mlflow import dumps

from tests.unit.sluice_server.collecting import Collector, free_port
from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW, Running, predict, start, until

COMPARE = "default/penguins-1a2b3c4d-7;100"


@pytest.fixture
def compared(classifier_dir: Path, tmp_path: Path, collector: Collector) -> Iterator[Running]:
    mirror = str(free_port())
    running = start(classifier_dir, tmp_path, SLUICE_COLLECTOR_URL=collector.url, SLUICE_MIRROR_PORT=mirror)
    running.mirror_port = int(mirror)
    yield running
    running.stop()


def answer(number: int, predictions: Any = ("Adelie",), **changes: Any) -> Answer:
    return Answer(**{
        "comparison": "default/penguins-1", "request": f"r{number}", "side": "stable", "status": 200,
        "seconds": 0.01, "predictions": predictions,
    } | changes)  # fmt: skip


def test_stable_tells_what_it_has_answered(compared: Running, collector: Collector) -> None:
    compared.predict(GOOD_ROW, x_sluice_assignment="random", x_sluice_compare=COMPARE, x_request_id="a")
    until(lambda: collector.told)
    (told,) = collector.told
    assert told.pop("seconds") > 0
    assert told == {
        "comparison": "default/penguins-1a2b3c4d-7", "request": "a", "side": "stable", "status": 200,
        "predictions": ["Adelie"],
    }  # fmt: skip


def test_what_comes_to_the_port_for_copies_is_one_whatever_its_headers_say(
    compared: Running, collector: Collector
) -> None:
    headers = {"x_sluice_assignment": "random", "x_sluice_compare": COMPARE}
    with closing(HTTPConnection("127.0.0.1", compared.mirror_port, timeout=30)) as connection:
        assert predict(connection, GOOD_ROW, x_request_id="a", **headers).status == 200
        assert predict(connection, FAILING_ROW, x_request_id="b", **headers).status == 500
    until(lambda: len(collector.told) == 2)
    found = [(told["side"], told["status"], told["predictions"]) for told in collector.told]
    assert found == [("candidate", 200, ["Adelie"]), ("candidate", 500, None)]
    counted = compared.requests()
    assert (counted["mirror", "ok"], counted["mirror", "error"], counted["random", "ok"]) == (1, 1, 0)


def test_nothing_is_told_of_requests_that_are_not_compared(compared: Running, collector: Collector) -> None:
    for headers in (
        {"x_sluice_assignment": "random", "x_request_id": "a"},
        {"x_sluice_assignment": "random", "x_sluice_compare": COMPARE},
        {"x_sluice_assignment": "probe", "x_sluice_compare": COMPARE, "x_request_id": "b"},
        {"x_sluice_compare": COMPARE, "x_request_id": "c"},
    ):
        compared.predict(GOOD_ROW, **headers)
    compared.predict(GOOD_ROW, x_sluice_assignment="random", x_sluice_compare=COMPARE, x_request_id="last")
    until(lambda: collector.told)
    assert [told["request"] for told in collector.told] == ["last"]


def test_both_protocols_tell_the_same(compared: Running, collector: Collector) -> None:
    headers = {"x-sluice-assignment": "random", "x-sluice-compare": COMPARE, "x-request-id": "v2"}
    columns = ("length", "FP64", 39.1), ("mass", "FP64", None), ("island", "BYTES", "Dream")
    inputs = [{"name": n, "shape": [1], "datatype": kind, "data": [value]} for n, kind, value in columns]
    with compared.connect() as connection:
        body = json.dumps({"inputs": inputs}).encode()
        connection.request("POST", "/v2/models/penguins/infer", body, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
    until(lambda: collector.told)
    assert collector.told[0]["predictions"] == ["Adelie"]


IDENTITIES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128)


@given(IDENTITIES, st.integers(1, 100))
def test_both_sides_choose_the_same_requests_and_a_larger_share_holds_the_smaller(request: str, percent: int) -> None:
    chosen = asked(f"ns/a-1;{percent}", request) is not None
    assert chosen is (zlib.crc32(request.encode()) % 100 < percent)
    assert not chosen or asked(f"ns/a-1;{min(100, percent + 1)}", request) == "ns/a-1"


@pytest.mark.parametrize("header", [None, "", ";", "ns/a-1", "ns/a-1;", "ns/a-1;x", ";50", "ns/a-1;-5"])
def test_a_header_that_says_nothing_compares_nothing(header: str | None) -> None:
    assert asked(header, "a") is None


@pytest.mark.parametrize("request_id", [None, "", "a" * 129, "ä", "a\nb", "a b"])
def test_a_request_whose_id_nobody_takes_is_not_compared(request_id: str | None) -> None:
    assert asked(COMPARE, request_id) is None


@pytest.mark.parametrize(
    ("predictions", "told"),
    [
        (np.array(["Adelie", "Gentoo"]), ["Adelie", "Gentoo"]),
        (np.array([[0.25, 0.75]]), [0.25, 0.75]),
        (np.array([1.5, np.nan]), [1.5, None]),
        (pd.DataFrame({"b": [1], "a": [True]}), [True, 1]),
        (pd.Series(["x"], name="species"), ["x"]),
        ({"y": [1, 2], "x": "z"}, ["z", 1, 2]),
    ],
)
def test_predictions_are_told_as_plain_values(predictions: Any, told: list[Any]) -> None:
    assert answer(1, predictions).told()["predictions"] == told


def test_of_long_answers_only_the_digest_is_told() -> None:
    one, other = (answer(1, np.arange(MOST_PREDICTIONS + 1) + start).told() for start in (0, 1))
    assert one["predictions"] is None
    assert one["digest"] != other["digest"]
    assert answer(2, np.arange(MOST_PREDICTIONS + 1)).told()["digest"] == one["digest"]


@pytest.mark.parametrize("large", ["a" * 65, 1e200, -1e20, 2**70])
def test_what_the_collector_would_refuse_is_told_as_a_digest(large: Any) -> None:
    told = answer(1, [large, 1]).told()
    assert told["predictions"] is None
    assert told["digest"] == answer(2, [large, 1]).told()["digest"] != answer(3, [large, 2]).told()["digest"]


def test_the_collector_takes_what_is_told() -> None:
    for predictions in (np.array(["Adelie"]), [1e200], np.arange(100), {"a": [1, None, True, 0.5]}, [2**63]):
        Batch.model_validate_json(dumps({"answers": [answer(1, predictions).told()]}))
    Batch.model_validate_json(dumps({"answers": [answer(1, status=500).told()]}))
