"""Charts and figures that all pages share."""

from __future__ import annotations

import re

import pytest

from reports.shared import charts, figures


def test_the_interval_is_wilsons() -> None:
    assert figures.interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert figures.interval(1.0, 10)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [1e-9, 2e-9], [3.0, 1e6, 2.0], [-2.0, -1.0], [1e18]])
def test_any_curve_can_be_drawn_inside_its_chart(values: list[float]) -> None:
    drawing = charts.curves("Loss", [charts.Line("a", "train", values)], 1)
    heights = [float(y) for y in re.findall(r'cy="([-0-9.]+)"', drawing)]
    assert all(0 <= y <= 240 for y in heights)
    assert "nan" not in drawing
