import numpy as np
import pytest

from lesionscan.detection.pixel_table import Groups, row_nanquantile


@pytest.mark.parametrize("seed", range(20))
def test_groups_have_the_quantiles_of_numpy(seed: int) -> None:
    """Quantiles of all groups are bit for bit those of NumPy for each, even with negative zeros."""
    random = np.random.default_rng(seed)
    values = random.random(random.integers(1, 400)).astype(np.float32)
    values[random.random(values.size) < 0.1] = -0.0
    group = random.integers(0, 16, values.size)
    seen = Groups.of(values, group)
    assert seen.group.tolist() == np.unique(group).tolist()
    for share in (0.5, 0.8):
        alone = [float(np.quantile(values[group == n], share)) for n in seen.group]
        assert seen.quantile(share).tolist() == alone


@pytest.mark.parametrize("seed", range(20))
def test_rows_have_the_quantiles_of_their_known_values(seed: int) -> None:
    """Quantiles of rows ignore NaN, and a row of NaN only has none."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(12, 8))
    values[random.random(values.shape) < 0.5] = np.nan
    values[3] = np.nan
    expected = [
        np.quantile(row[np.isfinite(row)], 0.2) if np.isfinite(row).any() else np.nan
        for row in values
    ]
    assert row_nanquantile(values, 0.2) == pytest.approx(expected, nan_ok=True)
