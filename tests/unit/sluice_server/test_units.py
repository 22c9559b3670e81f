"""Whose request it is: from what the route says, and what the user sends."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice_server.units import Unit, counted_unit, experiment_of, outcomes_of, unit_name, unit_of
from werkzeug.datastructures import EnvironHeaders, Headers

EXPERIMENT = "team-a/penguins-1a2b3c4d-7"


def asked(**headers: str) -> Unit | None:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return unit_of(Headers(sent))


def of_request(identity: str) -> Unit:
    return Unit(EXPERIMENT, unit_name(EXPERIMENT, f"request:{identity}"), of_user=False)


def of_user(identity: str) -> Unit:
    return Unit(EXPERIMENT, unit_name(EXPERIMENT, identity), of_user=True)


def test_a_unit_is_a_hash_of_experiment_and_user() -> None:
    whole = hashlib.sha256(b"team-a/penguins-1a2b3c4d-7\nu-5").hexdigest()
    unit = asked(x_sluice_experiment=EXPERIMENT, x_sluice_unit="header:x-user-id", x_user_id="u-5", x_request_id="r")
    assert unit == Unit(EXPERIMENT, whole[:32], of_user=True)


def test_a_user_is_another_unit_in_another_experiment() -> None:
    assert unit_name(EXPERIMENT, "u") != unit_name("team-a/penguins-1a2b3c4d-8", "u")


@pytest.mark.parametrize(
    ("cookie", "user"),
    [
        ("session=u-5", "u-5"),
        ("a=1; session=u-5; b=2", "u-5"),
        ('a=session;session="u-5"', "u-5"),
        ("session=u=5==; session=other", "u=5=="),
        ("session=\x80\xff", "\x80\xff"),
    ],
)
def test_the_user_may_be_in_a_cookie(cookie: str, user: str) -> None:
    assert asked(x_sluice_experiment=EXPERIMENT, x_sluice_unit="cookie:session", cookie=cookie) == of_user(user)


@pytest.mark.parametrize("place", ["header:x-user-id", "cookie:session", None])
def test_without_a_user_the_unit_is_the_request(place: str | None) -> None:
    given_place = {"x_sluice_unit": place} if place else {"x_user_id": "u-5"}
    assert asked(x_sluice_experiment=EXPERIMENT, x_request_id="r-1", **given_place) == of_request("r-1")


@pytest.mark.parametrize(
    "place", ["", "header:", "header", "x-user-id", "body:x-user-id", "header:x user id", "header:ä"]
)
def test_a_place_that_makes_no_sense_is_as_good_as_none(place: str) -> None:
    unit = asked(x_sluice_experiment=EXPERIMENT, x_sluice_unit=place, x_user_id="u-5", x_request_id="r-1")
    assert unit == of_request("r-1")


@pytest.mark.parametrize("said", ["", "x", "/", "a/", "A/b", "a/b/c", "a/b\tc", "ä/b", f"a/{'b' * 254}"])
def test_an_experiment_that_makes_no_sense_is_none(said: str) -> None:
    assert asked(x_sluice_experiment=said, x_request_id="r-1") is None


def test_requests_of_no_experiment_have_no_unit() -> None:
    assert asked(x_sluice_unit="header:x-user-id", x_user_id="u-5", x_request_id="r-1") is None


@pytest.mark.parametrize("identity", ["", "a b", "a" * 129, "ä"])
def test_neither_a_user_nor_an_id_of_the_request_is_nobody(identity: str) -> None:
    assert asked(x_sluice_experiment=EXPERIMENT, x_request_id=identity) is None


def test_an_empty_header_is_a_user_since_the_gateway_sends_all_who_have_it_to_one_version() -> None:
    sent = {"x_sluice_experiment": EXPERIMENT, "x_request_id": "r-1"}
    assert asked(x_sluice_unit="header:x-user-id", x_user_id="", **sent) == of_user("")
    assert asked(x_sluice_unit="cookie:session", cookie="session=", **sent) == of_request("r-1")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")), st.text(max_size=50))
def test_nothing_that_is_sent_raises(user: str, place: str) -> None:
    environ = {
        "HTTP_X_SLUICE_EXPERIMENT": EXPERIMENT, "HTTP_X_SLUICE_UNIT": "header:x-user-id", "HTTP_X_USER_ID": user,
        "HTTP_COOKIE": user,
    }  # fmt: skip
    assert unit_of(EnvironHeaders(environ)) == of_user(user)
    for changes in (
        {"HTTP_X_SLUICE_UNIT": "cookie:a"}, {"HTTP_X_SLUICE_UNIT": place}, {"HTTP_X_SLUICE_EXPERIMENT": place},
    ):  # fmt: skip
        unit_of(EnvironHeaders(environ | changes))


def test_an_experiment_that_only_takes_outcomes_exposes_nobody() -> None:
    headers = told(x_sluice_outcomes=EXPERIMENT, x_sluice_unit="header:x-user-id", x_user_id="u-5", x_request_id="r")
    assert (experiment_of(headers), counted_unit(headers)) == (None, None)
    assert (outcomes_of(headers), unit_of(headers)) == (EXPERIMENT, of_user("u-5"))


def test_an_operator_of_an_earlier_version_names_the_experiment_only_that_exposes() -> None:
    headers = told(x_sluice_experiment=EXPERIMENT, x_sluice_outcomes="some/body-else")
    assert outcomes_of(headers) == EXPERIMENT, "what a client has written would count for nothing"


WINDOW = f"{EXPERIMENT}/3"


def told(**headers: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in headers.items()})


def test_at_a_weight_of_a_canary_a_user_is_counted_and_in_no_experiment() -> None:
    headers = told(x_sluice_window=WINDOW, x_sluice_unit="header:x-user-id", x_user_id="u-5", x_request_id="r")
    assert counted_unit(headers) == Unit(WINDOW, unit_name(WINDOW, "u-5"), of_user=True)
    assert experiment_of(headers) is None
    assert unit_of(headers) is None


def test_an_experiment_comes_before_a_window() -> None:
    headers = told(x_sluice_window=WINDOW, x_sluice_experiment=EXPERIMENT, x_request_id="r-1")
    assert counted_unit(headers) == of_request("r-1")


@pytest.mark.parametrize("said", ["", EXPERIMENT, f"{EXPERIMENT}/", f"{EXPERIMENT}/0", f"{EXPERIMENT}/x", "a/1", "///"])
def test_a_window_that_makes_no_sense_is_none(said: str) -> None:
    assert counted_unit(told(x_sluice_window=said, x_request_id="r-1")) is None
