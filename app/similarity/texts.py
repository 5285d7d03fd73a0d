"""Texts as an encoder can read them."""


def readable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer takes: each becomes a question mark.

    JSON may hold them ("\\ud83d" alone is half an emoji cut in two); UTF-8 may not.
    """
    return text.encode("utf-8", "replace").decode("utf-8")
