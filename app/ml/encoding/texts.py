"""Texts as an encoder can read them."""

# Encoders read a few hundred tokens, the longest some thousands, so nobody misses what is beyond.
# A tokenizer would: all of a text of 1 MB takes it 0.6 s and 150 MB, a tenth of it a tenth.
MOST_CHARACTERS = 100_000


def sanitise(text: str) -> str:
    """Return what every runtime reads of a text: 100,000 characters, without lone surrogates.

    JSON may hold those ("\\ud83d" alone is half an emoji cut in two), and no tokenizer takes them:
    each becomes a question mark.
    """
    if len(text) > MOST_CHARACTERS:
        text = text.lstrip()[:MOST_CHARACTERS]
    return text.encode("utf-8", "replace").decode("utf-8")
