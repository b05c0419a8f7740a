"""Fitted classifiers in files: saved, exported, pickled."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hsboost.estimators import _history
from hsboost.estimators._export import export as _export
from hsboost.estimators._export.result import ExportResult
from hsboost.estimators._model_file import persistence

Self = TypeVar("Self", bound="Storage")


class Storage(BaseEstimator):
    """The part of :class:`hsboost.HSClassifier` that writes and reads files."""

    def save_model(self, path: str | os.PathLike[str]) -> None:
        """Write everything predictions need into one JSON file; :meth:`load_model` reads it back.

        Parameters
        ----------
        path : path-like
            Overwritten if it exists (by a rename: never half a file), with the permissions that it had.

        Raises
        ------
        TypeError
            For group labels or classes that a JSON file cannot hold (not text, number, bool or date).
        ValueError
            For a model that would not load again: the file's content is loaded once before it is written.
        OSError
            Where the file cannot be written: a folder, a folder that is missing, no permission, a full disk.
        """
        check_is_fitted(self, "estimator_")
        persistence.save(self, path)

    def export(
        self,
        path: str | os.PathLike[str],
        format: Literal["xgboost", "lightgbm", "onnx", "treelite"] | None = None,
        *,
        output: Literal["decision", "probability"] | None = None,
        threshold: Literal["global"] | None = None,
        rows: Any = None,
        require_check: bool = False,
    ) -> ExportResult:
        """Write the model for another runtime, so that it decides there as it does here.

        Offset, threshold and calibration are written into the trees, with the rounds that predictions use and DART's
        weights, and the nominal objective gets the link that is true. The file is read back by its runtime and compared
        on rows drawn between the model's own split values before it is written.

        Parameters
        ----------
        path : path-like
            Replaced whole, or left as it was.
        format : {"xgboost", "lightgbm", "onnx", "treelite"}, optional
            XGBoost's model file (``.json``, ``.ubj``), LightGBM's text (``.txt``), ONNX (``.onnx``; outputs ``label``,
            ``decision_function`` and ``probabilities``), treelite's checkpoint (``.tl``). Default: by the end of
            ``path``. The first two take models of that booster.
        output : {"decision", "probability"}, optional
            ``"decision"``: the runtime's scores are :meth:`decision_function`, with the identity for a link: above 0 is
            positive, of several classes the highest wins. ``"probability"``: the runtime gives :meth:`predict_proba`,
            with a sigmoid or softmax for a link; :meth:`predict` cuts at the result's ``cut``, not at one half.
            Default: probabilities with a calibrator, and of losses that have some and no budget; else decisions.
        threshold : "global", optional
            For models trained with groups, which are refused without it: cut all rows at ``threshold_``, as
            :meth:`predict` does without ``groups``.
        rows : array-like or DataFrame, optional
            Rows of your own to be compared, too.
        require_check : bool, default False
            An error where the format's runtime is not installed; otherwise the result says that nothing was compared.

        Returns
        -------
        ExportResult
            How to read the file and what was compared; ``print`` it.

        Raises
        ------
        ValueError
            For what the format cannot hold (isotonic calibration, thresholds of groups, linear trees in ONNX …), and
            where the runtime's answers differ by more than rounding; nothing is written then.
        ImportError
            Where the package that writes the format is missing (``pip install hsboost[export]``).
        OSError
            Where the file cannot be written.
        """
        check_is_fitted(self, "estimator_")
        return _export.write(self, path, format, output, threshold, rows, require_check)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "estimator_" in state:
            state = state | {"_booster_version": persistence.booster_version(state["estimator_"])}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        wrote = state.pop("_booster_version", None)
        if "training_history_" in state:
            state["training_history_"] = _history.from_file(state["training_history_"])
        state.setdefault("pos_label", None)  # pickles from before there was a choice
        state.setdefault("threshold", "training")
        if "threshold_" in state:
            state.setdefault("threshold_source_", "training")
        if "classes_" in state and len(state["classes_"]) == 2:
            state.setdefault("pos_label_", state["classes_"][1])
        super().__setstate__(state)
        if wrote is not None:
            persistence.warn_of_pickles(wrote, persistence.booster_version(state["estimator_"]))

    @classmethod
    def load_model(cls: type[Self], path: str | os.PathLike[str]) -> Self:
        """A model written by :meth:`save_model`: predictions are the same to the last bit.

        Nothing in the file is executed. It holds no training data; ``fit`` may be called again. Another version of the
        booster may read it, too: it has to give the scores that the file carries for a few made-up rows (to the bit for
        the same version on the same kind of processor, else to the rounding of float32).

        Raises
        ------
        ValueError
            For a file that is damaged, is something else, comes from a later version of the format, or that this
            version of the booster does not read as the one that wrote it did; then the message names both.
        """
        return persistence.load(cls, path)
