"""Once with the model that everybody starts with: all-MiniLM-L6-v2, found without a network."""

from app.db.session import read_session
from app.ml.encoding.encoder import DEFAULT_MODEL
from app.search.embedding import load_all_vectors
from app.search.index_revisions import write_index
from app.search.similar import Seed, find_neighbours
from tests.conftest import make_project
from tests.search.conftest import active, add_records, embed_all

MESSAGES = [
    "My parcel has still not arrived, where is it?",
    "I would like my money back for these shoes",
    "I cannot log in, it says my password is wrong",
    "The kettle you sent me is broken",
    "Please stop charging my card every month",
]


def test_a_text_finds_what_means_the_same_in_other_words(database: str) -> None:
    project = make_project()
    assert project.base_model == DEFAULT_MODEL
    records = add_records(project, MESSAGES)
    embed_all(project)
    write_index(active(project).id)

    def nearest(text: str) -> str:
        with read_session() as db:
            [hit] = find_neighbours(db, project, Seed("text", text=text), 1)
        return MESSAGES[records.index(hit.record_id)]

    assert nearest("my delivery is late") == MESSAGES[0]
    assert nearest("how do I get a refund") == MESSAGES[1]
    assert nearest("locked out of my account") == MESSAGES[2]
    assert nearest("cancel the subscription") == MESSAGES[4]
    with read_session() as db:
        assert load_all_vectors(db, active(project).id)[1].shape == (5, 384)
