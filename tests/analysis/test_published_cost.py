"""The cost of the notes: both readings, at the searches' own devices and at a chosen one."""

from __future__ import annotations

import math

import pytest

from nasbench.analysis.costs.published_cost import (
    AS_PRINTED,
    GPU_DAYS,
    cost_notes,
    draw_published_cost,
    notes_cost,
    plot_published_cost,
    published_cost,
)
from nasbench.analysis.plotting import style
from nasbench.costs.pricing import prices_from
from nasbench.errors import InputError


def cell(data, search, reading, column):
    (found,) = data[(data["search"] == search) & (data["reading"] == reading)][column]
    return found


def test_both_readings_of_the_printed_hours():
    data = published_cost()
    assert cell(data, "nas", AS_PRINTED, "gpu_hours") == 22_400
    assert cell(data, "nas", GPU_DAYS, "gpu_hours") == 800 * 28 * 24 == 537_600
    assert cell(data, "nasnet", AS_PRINTED, "gpu_hours") == 2_000
    assert cell(data, "nasnet", GPU_DAYS, "gpu_hours") == 500 * 4 * 24 == 48_000
    assert cell(data, "amoebanet", GPU_DAYS, "gpu_hours") == 450 * 7 * 24
    assert cell(data, "pnas", GPU_DAYS, "gpu_hours") == 225 * 24
    assert cell(data, "enas-micro", GPU_DAYS, "gpu_hours") == pytest.approx(10.8)
    assert cell(data, "enas-macro", GPU_DAYS, "gpu_hours") == pytest.approx(7.68)
    assert list(data[data["reading"] == AS_PRINTED]["search"]) == ["nas", "nasnet"]


def test_own_devices_have_their_own_prices_or_say_why_not():
    data = published_cost()
    assert cell(data, "nas", GPU_DAYS, "own_usd") == pytest.approx(537_600 * 0.45)
    assert "proxy" in cell(data, "nas", GPU_DAYS, "own_price")
    assert cell(data, "nasnet", AS_PRINTED, "own_usd") == pytest.approx(2_000 * 1.46)
    assert math.isnan(cell(data, "enas-micro", GPU_DAYS, "own_usd"))
    assert "no listing of a GTX 1080Ti" in cell(data, "enas-micro", GPU_DAYS, "own_price")
    assert "not on record" in cell(data, "pnas", GPU_DAYS, "own_price")
    assert data["at_usd"].isna().all()


def test_a_chosen_device_prices_every_search():
    data = published_cost(at="V100")
    assert (data["at_usd"] / data["gpu_hours"]).to_numpy() == pytest.approx(2.48)
    assert cell(data, "nasnet", GPU_DAYS, "own_usd") == pytest.approx(48_000 * 1.46)
    with pytest.raises(InputError, match="no price for device"):
        published_cost(at="abacus")


def test_a_table_of_the_users_own_replaces_the_shipped_one():
    data = published_cost(prices=prices_from("1.5"))
    assert cell(data, "nasnet", AS_PRINTED, "own_usd") == 3_000
    assert cell(data, "enas-micro", GPU_DAYS, "own_usd") == pytest.approx(16.2)
    assert math.isnan(cell(data, "pnas", GPU_DAYS, "own_usd"))


def test_the_notes_sum():
    printed, days = notes_cost().to_dict("records")
    assert (printed["gpu_hours"], printed["usd_per_hour"], printed["usd"]) == (2_000, 1.5, 3_000)
    assert printed["nok"] == pytest.approx(25_000)
    assert printed["nok_per_usd"] == pytest.approx(8.33, abs=0.005)
    assert (days["usd"], days["nok"]) == (72_000, pytest.approx(600_000))
    (line,) = [line for line in cost_notes(published_cost()) if "NOK" in line]
    assert "2,000 h x 1.5 USD/h = 3,000 USD = 25,000 NOK" in line
    assert "imply" in line


def test_the_notes_say_what_has_no_price_and_where_all_is_priced():
    text = "\n".join(cost_notes(published_cost(at="V100")))
    assert "ENAS micro, ENAS macro: the price table has no listing of a GTX 1080Ti." in text
    assert "Priced at: V100" in text
    assert "Priced at" not in "\n".join(cost_notes(published_cost()))


def test_the_figure_shows_both_readings_on_a_log_axis():
    figure = plot_published_cost(published_cost(at="V100"))
    own, at = figure.axes
    assert own.get_xscale() == at.get_xscale() == "log"
    assert own.get_xlim() == at.get_xlim()
    words = {text.get_text() for text in own.texts}
    assert {"2,920 USD", "70,080 USD", "500 x 4 days x 24 = 48,000 h", "2,000 h as printed"} <= words
    assert any("25,000 NOK" in text for text in words)
    drawn = sorted(float(line.get_xdata()[0]) for line in at.lines)
    assert drawn == pytest.approx(sorted(published_cost(at="V100")["at_usd"]))


def test_drawing_a_price_that_was_not_asked_for_is_refused():
    ax = style.new_figure(4, 3).subplots()
    with pytest.raises(InputError, match="not priced at a chosen device"):
        draw_published_cost(published_cost(), ax, "at")
    with pytest.raises(InputError, match="'own' device"):
        draw_published_cost(published_cost(), ax, "cheapest")


def test_free_hours_leave_nothing_to_draw():
    figure = plot_published_cost(published_cost(prices=prices_from("0")))
    assert "No search has a price above 0" in figure.axes[0].texts[0].get_text().replace("\n", " ")
