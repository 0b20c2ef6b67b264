"""scripts/draw_rooms.py: the diagram of the packages follows from the imports."""

import draw_rooms
import pytest

ARROWS = {"top": {"left", "low"}, "left": {"low"}, "right": {"low"}, "low": set[str]()}


def test_the_picture_is_up_to_date() -> None:
    """docs/rooms.svg shows the current imports."""
    assert draw_rooms.TARGET.read_text(encoding="utf-8") == draw_rooms.picture(
        draw_rooms.imports()
    ), "run: python scripts/draw_rooms.py"


def test_a_package_is_above_what_it_imports() -> None:
    """Levels are counted from the packages that import no other."""
    assert draw_rooms.floors(ARROWS) == {"low": 0, "left": 1, "right": 1, "top": 2}


def test_implied_arrows_are_left_out() -> None:
    """An arrow implied by others is omitted: `top` reaches `low` through `left`."""
    assert draw_rooms.without_implied(ARROWS) == {**ARROWS, "top": {"left"}}


def test_a_cycle_is_refused() -> None:
    """An import cycle is an error, since its packages have no level."""
    with pytest.raises(ValueError, match=r"import cycle among \['a', 'b'\]"):
        draw_rooms.floors({"a": {"b"}, "b": {"a"}, "c": set[str]()})


def test_imports_are_read_from_the_files() -> None:
    """The commands import the batch, the batch the reader, and the ground level nothing."""
    found = draw_rooms.imports()
    assert "batch" in found["cli"]
    assert "reading" in found["batch"]
    assert found["ground"] == set()
