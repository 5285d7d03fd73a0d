import numpy as np
import pytest
from sklearn.linear_model import Ridge

from app.ml.label_inference.ridge import score_linearly, solve_ridge
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once


@pytest.mark.parametrize("m", [12, 200], ids=["fewer rows than dimensions", "more"])
def test_ridge_answers_as_the_reference_does(crowd: Crowd, m: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, m).astype(np.float32)
    wanted = rng.normal(size=(m, 3)).astype(np.float32)
    wanted -= np.average(wanted, axis=0, weights=weights)
    reference = Ridge(alpha=1.0).fit(crowd.vectors[:m], wanted, sample_weight=weights)

    answers = solve_ridge(crowd.vectors[:m], crowd.vectors, wanted, weights)

    np.testing.assert_allclose(answers, reference.predict(crowd.vectors), atol=1e-4)


def test_rare_classes_are_predicted(crowd: Crowd) -> None:
    rows = np.concatenate([np.arange(150), np.arange(200, 206), np.arange(400, 406)])
    weights = np.ones(len(rows), np.float32)

    scores = score_linearly(crowd.vectors[rows], crowd.vectors, crowd.classes[rows], 4, weights)

    right = scores[:, :3].argmax(axis=1) == crowd.classes
    assert scores.shape == (600, 4)
    np.testing.assert_allclose(scores[:, 3], 0, atol=1e-6)
    assert min(right[crowd.classes == c].mean() for c in range(3)) > 0.6
