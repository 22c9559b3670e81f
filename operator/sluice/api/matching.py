"""Which requests are meant for a candidate: the `match` part of a canary."""

from __future__ import annotations

from typing import Annotated

from sluice.api.base import ApiModel, cel, matching, validations

MOST_MATCHES = 8

_NAMES = "letters, digits, '-', '_' and '.'"

HeaderName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        f"this is not the name of a header: use {_NAMES}, for example x-group",
        max_length=100,
    ),
]

CookieName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9._-]+$",
        f"this is not the name of a cookie: use {_NAMES}, for example group",
        max_length=100,
    ),
]


class Header(ApiModel):
    """A request header that has exactly this value; upper and lower case of its name are the same."""

    name: HeaderName
    value: str = matching(
        r"^[!-~]([ -~]*[!-~])?$",
        "a header's value has visible ASCII characters and spaces only, none of them at its ends: write for example "
        "early-adopters",
        max_length=256,
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "self.name.lowerAscii() != 'cookie'",
                "the header cookie holds all cookies: name one of them instead, for example "
                "cookie: {name: group, value: beta}",
            ),
            cel(
                "self.name.lowerAscii() != 'host' && !self.name.lowerAscii().startsWith('x-sluice-')",
                "host and x-sluice-... are no headers to choose users by: name another one, for example x-group",
            ),
        )
    }


class Cookie(ApiModel):
    """A cookie that has exactly this value."""

    name: CookieName
    value: str = matching(
        r"^[!#$%&()*+./0-9:<=>?@A-Z\[\]^_a-z{|}~-]+$",
        "a cookie's value has no spaces, quotes, commas, semicolons and backslashes: write for example beta",
        max_length=256,
    )


class Match(ApiModel):
    """Requests with this header, or with this cookie: exactly one of its fields."""

    header: Header | None = None
    cookie: Cookie | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.header) != has(self.cookie)",
                "write exactly one of header and cookie in each item, for example header: {name: x-group, value: beta}",
            )
        )
    }
