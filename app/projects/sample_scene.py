"""Who writes, about what, on which day; and what a phrase's slots become in that scene."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from app.projects.sample_intents import PRAISE_OR_SUGGESTION, IntentWords
from app.projects.sample_voice import Writer, draw_writer
from app.projects.sample_words import (
    CITIES,
    COURIERS,
    GOODS,
    MONTHS,
    NAMES,
    PLANS,
    STREETS,
    Product,
)


@dataclass(frozen=True)
class Scene:
    """Who writes, about what, on which day: all that a phrase's slots may ask for."""

    intent: IntentWords
    product: Product
    writer: Writer
    day: date
    days_ago: int
    order: int
    price: str


def draw_scene(intent: IntentWords, day: date, rng: Random) -> Scene:
    """Draw a writer with a reason to write; what is said twice in a message must agree."""
    return Scene(
        intent=intent,
        product=draw_product(intent, rng),
        writer=draw_writer(intent is PRAISE_OR_SUGGESTION, rng),
        day=day,
        days_ago=rng.randint(5, 19),
        order=rng.randint(40000, 98999),
        price=price(rng),
    )


def draw_product(intent: IntentWords, rng: Random) -> Product:
    """Draw what the message is about; only a subscription can be cancelled."""
    if intent.name == "Cancel subscription" or rng.random() < 0.2:
        return rng.choice(PLANS)
    return rng.choice(GOODS)


def fill(phrase: str, scene: Scene, rng: Random) -> str:
    """Return the phrase with its slots filled and one of each `(a|b)` taken."""
    while "<" in phrase or "(" in phrase:
        phrase = re.sub(r"\(([^()]*)\)", lambda m: rng.choice(m[1].split("|")), phrase)
        phrase = re.sub(r"<(\w+)>", lambda m: fill_slot(m[1], scene, rng), phrase)
    return re.sub(r" +", " ", phrase).strip()


def fill_slot(name: str, scene: Scene, rng: Random) -> str:
    """Return a value for one slot: of the scene's product, of its day, or by chance."""
    product, day = scene.product, scene.day
    values = {
        "item": product.items,
        "brand": (product.brand,),
        "fault": product.faults,
        "dislike": product.dislikes,
        "joy": product.joys,
        "swap": product.swaps,
        "pile": (product.pile,),
        "goods": tuple(other.items[0] for other in GOODS if other is not product),
        "plan": tuple(other.brand for other in PLANS if other is not product),
        "name": NAMES,
        "city": CITIES,
        "courier": COURIERS,
        "ago": age_phrases(scene.days_ago),
        "date": (write_date(day - timedelta(days=scene.days_ago), rng),),
        "soon": (write_date(day + timedelta(days=rng.randint(2, 12)), rng),),
        "month": (MONTHS[(day.month - rng.randint(2, 4)) % 12],),
        "next": (MONTHS[day.month % 12],),
        "order": order_spellings(scene.order),
        "other": order_spellings(scene.order - rng.randint(900, 9000)),
        "price": (scene.price,),
        "days": (str(scene.days_ago),),
        "mins": ("5", "ten", "20", "two"),
        "num": tuple(str(digit) for digit in range(2, 6)),
        "address": (f"{rng.randint(2, 118)} {rng.choice(STREETS)}",),
    }
    return rng.choice(values[name])


def age_phrases(days: int) -> tuple[str, ...]:
    """Ways to say how long that is."""
    if days < 8:
        return (f"{days} days ago", "last week", "a week ago")
    if days < 14:
        return (f"{days} days ago", "over a week ago", "the week before last")
    return ("over two weeks ago", "ages ago", f"{days} days ago")


def write_date(day: date, rng: Random) -> str:
    """Write a date as people write it."""
    month = MONTHS[day.month - 1][: rng.choice((3, 9))]
    return rng.choice((f"{day.day} {month}", f"the {ordinal(day.day)}", f"{month} {day.day}"))


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th ... 31st."""
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def order_spellings(order: int) -> tuple[str, ...]:
    """Return an order's number as people write it."""
    return (f"#{order}", f"NF-{order}", f"order {order}", f"NF{order}", f"my order {order}")


def price(rng: Random) -> str:
    """Return an amount as people write it."""
    pounds = rng.randint(12, 160)
    return rng.choice((f"£{pounds}", f"£{pounds}.{rng.randint(1, 9)}0", f"£{pounds}.99"))
