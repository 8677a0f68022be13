"""Test cells: comparisons, power, sequential looks, factorial designs, uplift, pooled effects.

``compare`` and ``factorial`` take a frame of a row per customer; ``required_size`` and ``detectable_effect`` plan a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.models.testing.cells import CellStatistics
    from crmlab.models.testing.columns import ratio
    from crmlab.models.testing.compared import Comparison
    from crmlab.models.testing.comparisons import SampleRatio, compare_cells, sample_ratio
    from crmlab.models.testing.factorials import aliases, component_differences, design_cells, factorial_effects
    from crmlab.models.testing.from_frames import compare, factorial
    from crmlab.models.testing.max_t import critical_value, holm
    from crmlab.models.testing.meta import fade, pool, pool_rounds
    from crmlab.models.testing.options import ComparisonOptions
    from crmlab.models.testing.outcomes import Mean, Money, Rate, Ratio
    from crmlab.models.testing.power import (
        control_share,
        design_effect,
        detectable_effect,
        planned_profit,
        power_of,
        required_size,
        smallest_paying,
    )
    from crmlab.models.testing.sequential import boundaries, error_of
    from crmlab.models.testing.uplift import depth_curve, segment_uplift, slices

__all__ = [
    "CellStatistics",
    "Comparison",
    "ComparisonOptions",
    "Mean",
    "Money",
    "Rate",
    "Ratio",
    "SampleRatio",
    "aliases",
    "boundaries",
    "compare",
    "compare_cells",
    "component_differences",
    "control_share",
    "critical_value",
    "depth_curve",
    "design_cells",
    "design_effect",
    "detectable_effect",
    "error_of",
    "factorial",
    "factorial_effects",
    "fade",
    "holm",
    "planned_profit",
    "pool",
    "pool_rounds",
    "power_of",
    "ratio",
    "required_size",
    "sample_ratio",
    "segment_uplift",
    "slices",
    "smallest_paying",
]
__getattr__, __dir__ = lazy_names(__name__)
