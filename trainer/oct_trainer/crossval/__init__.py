"""Cross-validation by patient: which recipe is better, by how much, and how sure that is.

    <out>/<method>/settings.json        what all folds of the method have in common; a fold of other settings is refused
    <out>/<method>/seed-<s>/fold-<k>.csv    the answers to the scans of fold k, as in a run's `predictions.csv`

A method is a network by a recipe, or the logistic regression that both must beat. A fold that is there is not trained
again, and one that was interrupted goes on where it stood.
"""
