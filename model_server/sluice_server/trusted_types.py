"""Types that a model file may hold besides those skops trusts by itself.

MLflow reads this list from the model's own MLmodel file, that is from whoever wrote the model. Here it belongs to the
server. Every entry is data, plain arithmetic, or waits: none can open a file, start a process or import a module.
"""

TRUSTED_TYPES: tuple[str, ...] = (
    "numpy.dtype",  # imputers and encoders remember the dtype of their columns
    "sklearn.tree._tree.Tree",  # the nodes of decision trees, forests and boosted trees
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "numpy.vectorize",  # applies a function, which has to be trusted by itself
    "time.sleep",  # no model needs it to be slow; the demo's does, without taking the processor from others
)
