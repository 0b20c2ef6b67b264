"""Transmission of a beam: Beer-Lambert at seven energies, for usual tube voltages.

With one energy, contrast would grow with thickness without limit. With a spectrum, the soft part of
the beam is absorbed first (beam hardening), so that thick bone, and bone behind much soft tissue,
attenuates less per millimetre than thin bone alone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from lesionscan.simulation.fields import Field

Material: TypeAlias = Literal["bone", "muscle", "fat", "titanium", "lead"]

ENERGIES_KEV = (24.0, 30.0, 36.0, 43.0, 50.0, 58.0, 70.0)

# Total mass attenuation coefficients in cm2/g at ENERGIES_KEV, coherent scattering included:
# xraylib 4.3.0, CS_Total, summed over the elements of ICRU Report 44 (cortical bone, skeletal
# muscle, adipose tissue) and of Ti-6Al-4V. At 50 keV they are those of NISTIR 5632 (bone 0.4242,
# muscle 0.2262, fat 0.2123) to 1 in 2000.
MASS_ATTENUATION_CM2_PER_G: Mapping[Material, tuple[float, ...]] = MappingProxyType({
    "bone": (2.412, 1.331, 0.8472, 0.5696, 0.4242, 0.3312, 0.2570),
    "muscle": (0.5556, 0.3783, 0.2989, 0.2522, 0.2263, 0.2082, 0.1916),
    "fat": (0.4116, 0.3064, 0.2584, 0.2292, 0.2123, 0.1998, 0.1875),
    "titanium": (9.012, 4.765, 2.846, 1.744, 1.168, 0.8031, 0.5197),
    "lead": (53.87, 30.32, 18.86, 11.89, 8.042, 5.477, 3.384),
})  # fmt: skip
DENSITY_G_PER_CM3: Mapping[Material, float] = MappingProxyType(
    {"bone": 1.92, "muscle": 1.05, "fat": 0.95, "titanium": 4.43, "lead": 11.35}
)

# Fraction of the detector's signal in air at each energy. Spectra: spekpy 2.5.4, tungsten, anode
# angle 12 degrees, 3 mm aluminium and 1 m of air, 0.5 keV bins; weighted with the energy absorbed
# by 0.5 mm of caesium iodide (three quarters dense). The seven weights are the non-negative
# least-squares fit to the transmission of the whole spectrum through 108 stacks of up to 200 mm of
# muscle, 40 mm of fat, 30 mm of bone and 10 mm of titanium, with a largest error of 0.4 %.
SIGNAL_WEIGHTS: Mapping[int, tuple[float, ...]] = MappingProxyType({
    55: (0.2300, 0.2153, 0.2423, 0.1845, 0.1275, 0.0002, 0.0002),
    60: (0.1974, 0.1638, 0.2529, 0.1439, 0.2059, 0.0361, 0.0000),
    65: (0.1639, 0.1555, 0.2062, 0.1678, 0.1872, 0.1164, 0.0030),
    70: (0.1393, 0.1472, 0.1648, 0.2005, 0.1344, 0.1945, 0.0193),
    75: (0.1208, 0.1322, 0.1464, 0.1970, 0.1168, 0.2290, 0.0578),
    80: (0.1102, 0.0943, 0.1914, 0.0882, 0.2183, 0.1750, 0.1226),
})  # fmt: skip
KILOVOLTS = tuple(SIGNAL_WEIGHTS)
"""Tube voltages with a spectrum, in kV."""


def per_mm(material: Material) -> tuple[float, ...]:
    """Return a material's linear attenuation coefficients at `ENERGIES_KEV`, in 1/mm."""
    density = DENSITY_G_PER_CM3[material]
    return tuple(0.1 * density * value for value in MASS_ATTENUATION_CM2_PER_G[material])


def transmission(thickness_mm: Mapping[Material, Field], kv: int) -> Field:
    """Compute the signal relative to that in air: the sum of w exp(-sum of mu t).

    Parameters
    ----------
    thickness_mm
        Thickness maps of equal shape, in mm.
    kv
        One of `KILOVOLTS`.

    Raises
    ------
    ValueError
        If there is no spectrum for the voltage, or no material.
    """
    if kv not in SIGNAL_WEIGHTS:
        known = ", ".join(str(value) for value in KILOVOLTS)
        raise ValueError(f"no spectrum for {kv!r} kV; there are {known}")
    if not thickness_mm:
        raise ValueError("thickness_mm must name at least one material")
    coefficients = {material: per_mm(material) for material in thickness_mm}
    total: Field = np.zeros(np.shape(next(iter(thickness_mm.values()))))
    for index, weight in enumerate(SIGNAL_WEIGHTS[kv]):
        if weight == 0.0:
            continue
        integral: Field = np.zeros_like(total)
        for material, thickness in thickness_mm.items():
            integral -= coefficients[material][index] * thickness
        total += weight * np.exp(integral, out=integral)
    return total


def automatic_kv(tissue_mm: float) -> int:
    """Return the voltage for a part of this thickness: 50 kV + 1.5 kV per cm, in steps.

    That is 55 kV for a hand, 70 for a knee and 80 for a hip, as in exposure tables; Sante's rule
    (2 kV per cm) is steeper, with a lower constant.
    """
    wanted = 50.0 + 0.15 * tissue_mm
    # rounded, so that the choice does not depend on the last bit; ties go down
    return min(KILOVOLTS, key=lambda kv: round(abs(kv - wanted), 3))
