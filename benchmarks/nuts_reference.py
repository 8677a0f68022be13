"""Produce the reference posterior of BG/NBD on cdnow_sample by PyMC-Marketing's NUTS, and its time on 10,000 customers.

Run once, in an environment of its own (pip install pymc-marketing); the numbers are committed in tests/models/btyd/test_posterior.py::

    python -c "import crmlab; …customer_summary(…).to_pandas().to_csv('summary.csv')"
    python benchmarks/nuts_reference.py summary.csv

The file has the columns frequency, recency, T (weeks, to 1997-09-30).
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd

STATES = pd.DataFrame(
    {"frequency": [0, 2, 1, 5, 10], "recency": [0.0, 30.43, 5.0, 35.0, 20.0], "T": [39.0, 38.86, 38.0, 39.0, 30.0]}
)


def main() -> None:
    from pymc_marketing import __version__, clv

    data = pd.read_csv(sys.argv[1])[["frequency", "recency", "T"]]
    chains = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    data.insert(0, "customer_id", np.arange(len(data)))
    model = clv.BetaGeoModel()
    begin = time.perf_counter()
    fitted = model.fit(
        data=data, method="mcmc", chains=chains, cores=1, draws=1000, tune=1000, random_seed=1, progressbar=False
    )
    model = fitted if hasattr(fitted, "expected_purchases") else model
    seconds = time.perf_counter() - begin
    draws = model.idata.posterior if hasattr(model, "idata") else fitted.posterior
    out: dict[str, object] = {"version": __version__, "customers": len(data), "chains": chains, "seconds": round(seconds, 1)}
    for name in ("r", "alpha", "a", "b"):
        values = draws[name].to_numpy().ravel()
        out[name] = [float(values.mean()), float(values.std()), *map(float, np.quantile(values, [0.05, 0.95]))]
    states = STATES.assign(customer_id=np.arange(len(STATES)))
    for label, found in (
        ("expected_purchases", model.expected_purchases(data=states, future_t=39)),
        ("probability_alive", model.expected_probability_alive(data=states)),
    ):
        values = found.to_numpy().reshape(-1, len(states))
        out[label] = np.quantile(values, [0.05, 0.95], axis=0).tolist()
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
