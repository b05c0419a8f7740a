"""Losses as custom objectives of XGBoost and LightGBM: one callable for four interfaces."""

from hsboost.objectives._hypersimplex import HypersimplexObjective, objective_of
from hsboost.objectives._loss import LossObjective

__all__ = ["HypersimplexObjective", "LossObjective", "hypersimplex_obj", "objective_of"]

for _class in (LossObjective, HypersimplexObjective):
    _class.__module__ = __name__  # the path that users and pickles know

#: HypersimplexObjective() with its defaults: k = number of positives, temperature 1, exact Hessian.
hypersimplex_obj = HypersimplexObjective()
