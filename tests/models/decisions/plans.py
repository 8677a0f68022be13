"""Small and large plans to decide on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlab.models.decisions import After, Apart, Limit, Problem, Window


def plan(n: int, seed: int, actions: int = 12, weeks: int = 4, rules: bool = True) -> tuple:
    """Candidates, limits, rules and contacts: customers differ, actions differ, seven of ten are eligible for each, budgets bind."""
    rng = np.random.default_rng(seed)
    names = [f"action {k:02d}" for k in range(actions)]
    ids = np.array([f"C{k:06d}" for k in range(n)], dtype=object)
    cost = rng.uniform(0.2, 2.5, actions)
    value = rng.gamma(2, 2, n)[:, None, None] * rng.uniform(0.3, 1.2, actions)[:, None] * (1 - 0.05 * np.arange(weeks))
    value = value + rng.normal(0, 1, value.shape) - cost[:, None]
    who, act = np.nonzero(rng.random((n, actions)) < 0.7)
    candidates = pd.DataFrame(
        {
            "customer": np.repeat(ids[who], weeks),
            "action": np.repeat(np.array(names, dtype=object)[act], weeks),
            "day": np.tile(np.arange(weeks) * 7, len(who)),
            "value": value[who, act].ravel(),
            "cost": np.repeat(cost[act], weeks),
        }
    )
    limits = [Limit(name="budget", most=0.8 * n, of="cost")]
    limits += [
        Limit(name=f"{name}, week {week}", most=max(1, int(n * rng.uniform(0.01, 0.06))), actions=(name,), days=(7 * week,))
        for name in names
        for week in range(weeks)
    ]
    own = [
        Window(most=2, days=28),
        Apart(first=names[0], second=names[1], days=28),
        After(action=names[2], earlier=names[3], days=7),
        *(Window(most=1, days=30, actions=(name,)) for name in names),
    ]
    known = pd.DataFrame({"customer": rng.choice(ids, n // 2), "action": rng.choice(names, n // 2)})
    known["day"] = -rng.integers(1, 40, len(known))
    return candidates, limits, own if rules else [Window(most=2, days=28)], known


def problem_of(n: int, seed: int, **options) -> Problem:
    candidates, limits, rules, contacts = plan(n, seed, **options)
    return Problem.of(candidates, limits, rules, contacts=contacts, salt="plan")


def choice_of(problem: Problem, chosen: pd.DataFrame) -> np.ndarray:
    """A list of what was chosen, as an array of days and customers."""
    out = np.full((len(problem.days), problem.n), -1, dtype=np.int16)
    who = pd.Index(problem.customers).get_indexer(chosen["customer"])
    out[np.searchsorted(problem.days, chosen["day"]), who] = [problem.actions.index(name) for name in chosen["action"]]
    return out
