"""A figure beside the limit it is held against is written so that the sentence is true."""

from __future__ import annotations

import pytest

from atrader.wording import apart_text


@pytest.mark.parametrize(
    ("value", "limit", "digits", "text"),
    [
        (0.9, 0.95, 2, "0.90"),
        (0.949, 0.95, 2, "0.949"),
        (0.9499996, 0.95, 2, "0.9499996"),
        (0.951, 0.95, 2, "0.951"),
        (0.95, 0.95, 2, "0.95"),
        (5.2, 5.0, 0, "5.2"),
        (7.2, 5.0, 0, "7"),
        (-0.0004, 0, 2, "-0.0004"),
        (0.0, 0, 2, "0.00"),
        (-5e-324, 0, 2, "-5e-324"),
    ],
)
def test_a_figure_has_as_many_digits_as_tell_it_from_its_limit(
    value: float, limit: float, digits: int, text: str
) -> None:
    assert apart_text(value, limit, digits) == text
