import pytest

from app.accounts.passwords import checked, is_right, kept
from app.errors import Invalid


def test_a_long_password_of_any_characters_is_fine() -> None:
    assert checked("four plain words here") == "four plain words here"
    assert checked("пароль из слов", "Ada") == "пароль из слов"
    assert len(checked("x9" + "äbc!" * 31)) == 126


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short one 1", "at least 12"),
        ("long " * 30, "at most 128"),
        ("aaaaaaaaaaaaaa", "first that anybody"),
        ("Password1234", "first that anybody"),
        ("Likewise2026", "first that anybody"),
        ("lovelace-1815", "first that anybody"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(password: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        checked(password, "Lovelace")


def test_what_is_kept_is_salted_argon2id_and_tells_right_from_wrong() -> None:
    first, second = kept("a sentence to remember"), kept("a sentence to remember")

    assert first.startswith("$argon2id$")
    assert first != second
    assert is_right(first, "a sentence to remember")
    assert not is_right(first, "a sentence to remember ")
    assert not is_right("not a hash", "a sentence to remember")


def test_nobodys_password_is_never_right() -> None:
    assert not is_right(None, "the password of a user who does not exist")
