"""What plots of dots call clear."""

from app.training.plots.dots import GainRow


def test_one_record_is_no_clear_loss_however_far_it_fell() -> None:
    alone = GainRow("product: backpack", 1, raw=0.5, value=-0.5, low=-0.5, high=-0.5)
    several = GainRow("product: kettle", 5, raw=0.5, value=-0.5, low=-0.7, high=-0.3)
    gained = GainRow("product: lamp", 4, raw=0.5, value=0.5, low=0.4, high=0.6)

    assert (alone.is_worse, several.is_worse) == (False, True)
    assert (gained.is_better, several.is_better) == (False, False)
