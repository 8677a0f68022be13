"""Where records come from: data sets, reading, canonical tables, the campaign memory, ``crmlab new``, and simulated worlds.

Nothing that runs on anybody's data imports the simulator. A data set whose TOML file says that it is simulated is made by the one
function that reads such files (``reading.building``), which asks this face for the world of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlab.lazy import lazy_names

if TYPE_CHECKING:
    from crmlab.data.catalog import dataset_names
    from crmlab.data.dataset import Dataset, open_dataset
    from crmlab.data.shop.club import make_club
    from crmlab.data.shop.donors import make_donors
    from crmlab.data.shop.make import make_shop

__all__ = ["Dataset", "dataset_names", "make_club", "make_donors", "make_shop", "open_dataset"]
__getattr__, __dir__ = lazy_names(__name__)
