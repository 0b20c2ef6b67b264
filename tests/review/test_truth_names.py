"""Films from subfolders get plain, unique file names."""

import random

from hypothesis import given
from hypothesis import strategies as st

from lesionscan.review.truth_names import truth_names


def test_folders_become_part_of_the_name() -> None:
    """Folders become part of the name; the ending is removed if it is that of an image."""
    names = truth_names(["a/knee.dcm", "hip.PNG", "b/IM0001", "b/IM.0002"])
    assert list(names.values()) == ["a__knee", "hip", "b__IM0001", "b__IM.0002"]


def test_names_that_meet_are_told_apart() -> None:
    """Equal names, ignoring case, get a hash of the original name, whatever the other files."""
    names = truth_names(["a/knee.dcm", "a__knee.png", "A/Knee.jpg", "hip.dcm"])
    assert names["hip.dcm"] == "hip"
    met = [names[file] for file in ("a/knee.dcm", "a__knee.png", "A/Knee.jpg")]
    assert len({name.casefold() for name in met}) == 3
    assert [name[:-16] for name in met] == ["a__knee-", "a__knee-", "A__Knee-"]
    assert truth_names(["a__knee.png", "a/knee.dcm"])["a/knee.dcm"] == names["a/knee.dcm"]


def test_a_name_that_looks_like_another_s_hashed_one_is_its_own() -> None:
    """A film named like the hashed name of another gets a different name."""
    taken = truth_names(["k.dcm", "k.png"])["k.dcm"]
    names = truth_names(["k.dcm", "k.png", f"{taken}.tif"])
    assert len(set(names.values())) == 3
    assert names["k.dcm"] == taken


def test_awkward_names_become_file_names() -> None:
    """Hidden names, separators of other systems and long names become valid file names."""
    long = "ü" * 140 + ".dcm"
    names = truth_names([".x.dcm", "a\\b.dcm", "c:d.dcm", long])
    assert list(names.values())[:3] == ["_.x", "a__b", "c__d"]
    assert len(names[long].encode()) < 180


PARTS = st.text(st.sampled_from("aA_-.:\\/0é"), min_size=1, max_size=9)


@given(st.lists(PARTS, unique=True, max_size=12), st.randoms())
def test_no_two_films_share_a_name(files: list[str], random_: random.Random) -> None:
    """Names are unique and valid for any files, in any order."""
    names = truth_names(files)
    assert len({name.casefold() for name in names.values()}) == len(files)
    assert not any(set("/\\:") & set(name) or name.startswith(".") for name in names.values())
    shuffled = random_.sample(files, len(files))
    assert truth_names(shuffled) == names
