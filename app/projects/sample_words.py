"""The made-up shop's products, and what its customers say around the point they make."""

from dataclasses import dataclass


def lines(block: str) -> tuple[str, ...]:
    """Return the phrases of a block, one a line."""
    return tuple(line.strip() for line in block.strip().splitlines())


@dataclass(frozen=True)
class Product:
    """Something the shop sells, and what only its owners would say about it."""

    name: str
    brand: str
    items: tuple[str, ...]
    faults: tuple[str, ...]
    dislikes: tuple[str, ...]
    joys: tuple[str, ...]
    swaps: tuple[str, ...]
    pile: str = ""


GOODS = (
    Product(
        name="Lumo desk lamp",
        brand="Lumo",
        items=("lamp", "desk lamp", "Lumo", "Lumo lamp", "light"),
        faults=lines("""
            the lamp flickers for a minute, then goes dark
            the dimmer on the lamp only knows full on or off
            the arm won't stay up, it sinks onto my keyboard
            the lamp hums so loud I can hear it over the radio
            the foot of the lamp is cracked right through
        """),
        dislikes=lines("""
            The lamp is far bigger than I pictured
            The brass looks nothing like on the website
            It's too bright for a bedroom
        """),
        joys=lines("""
            the light is so warm, my desk is my favourite spot now
            I read till two in the morning because of your lamp
            even my grumpy dad said the lamp is handsome
        """),
        swaps=("the black lamp instead of the brass", "the clamp version, not the foot"),
    ),
    Product(
        name="Brindle coffee grinder",
        brand="Brindle",
        items=("grinder", "coffee grinder", "Brindle", "Brindle grinder", "mill"),
        faults=lines("""
            the grinder just clicks and nothing comes out
            there's metal dust in my coffee
            the Brindle smells of burnt rubber after ten seconds
            the lid of the grinder no longer locks so it won't start
            it grinds everything to powder whatever I set
        """),
        dislikes=lines("""
            The grinder wakes up the whole house
            It takes up half of my counter
            I thought the grinder was electric
        """),
        joys=lines("""
            the grinder makes espresso taste like a proper café
            five weeks of Brindle and I've stopped buying takeaway coffee
            so quiet, the baby sleeps through my morning cup
        """),
        swaps=("the 220 volt one, not the 110", "the big hopper instead of the small one"),
    ),
    Product(
        name="Tarn rain jacket",
        brand="Tarn",
        items=("jacket", "rain jacket", "Tarn", "Tarn jacket", "coat"),
        faults=lines("""
            the zip came apart in my hand
            the jacket leaks at both shoulders, I was soaked
            a seam under the arm has opened up
            the lining is peeling off in flakes
            one of the snaps fell off the jacket on my first walk
        """),
        dislikes=lines("""
            The sleeves are way too long on me
            In daylight the blue is more of a purple
            It's a bit tight over a jumper
        """),
        joys=lines("""
            three days of drizzle in the hills and dry to the bone
            I've had so many compliments on the Tarn
            finally a jacket with pockets where hands go
        """),
        swaps=("a medium instead of the large", "the jacket in olive rather than navy"),
    ),
    Product(
        name="Pello backpack",
        brand="Pello",
        items=("backpack", "bag", "Pello", "Pello bag", "rucksack"),
        faults=lines("""
            one strap has come off the bag
            the buckle snapped the second time I closed it
            the bottom of the backpack is wearing through already
            the zip on the laptop pocket jams halfway
            black dye from the bag is all over my shirt
        """),
        dislikes=lines("""
            My laptop doesn't fit in the bag
            The bag looks more like a school satchel on me
            I already regret the orange
        """),
        joys=lines("""
            the bag went round Portugal with me and looks like new
            it swallows my gym stuff and a laptop, no idea how
            the little key hook in the Pello is genius
        """),
        swaps=("the grey bag instead of the orange", "the 28 litre, I clicked on 18"),
    ),
    Product(
        name="Otterby kettle",
        brand="Otterby",
        items=("kettle", "Otterby", "Otterby kettle"),
        faults=lines("""
            the kettle boils and boils and never clicks off
            water drips out from under the handle
            the kettle trips the fuse every time I use it
            there's rust on the inside of the kettle
            the lid springs open while it's boiling
        """),
        dislikes=lines("""
            The kettle is tiny, two cups and that's it
            It doesn't go with my kitchen at all
            I find it too heavy when it's full
        """),
        joys=lines("""
            the kettle pours like a dream
            prettiest thing in my kitchen by miles
            tea is ready before I've found the mug
        """),
        swaps=("the cream kettle instead of red", "the 1.7 litre kettle, not the small one"),
    ),
    Product(
        name="Wickle speaker",
        brand="Wickle",
        items=("speaker", "bluetooth speaker", "Wickle", "Wickle speaker"),
        faults=lines("""
            the speaker dies after half an hour off the cable
            only the left side of the speaker makes any sound
            it crackles as soon as I turn it up a bit
            the Wickle won't charge any more
            the speaker loses my phone every two minutes
        """),
        dislikes=lines("""
            Too much bass for my taste
            The speaker won't fit the shelf I bought it for
            I expected something fuller sounding for this money
        """),
        joys=lines("""
            the sound of this little speaker fills the whole garden
            the Wickle survived the pool, twice
            my gran dances to her Wickle every morning
        """),
        swaps=("the yellow speaker and not the grey", "a pair rather than the single speaker"),
    ),
)

PLANS = (
    Product(
        name="Bean Club",
        brand="Bean Club",
        items=("coffee box", "bag of beans", "Bean Club parcel"),
        faults=lines("""
            the bag of beans was split open, coffee everywhere
            the beans smell mouldy
            the valve on the coffee bag leaks and the beans are stale
        """),
        dislikes=("The beans are too sour for me", "I can't drink this roast"),
        joys=lines("""
            the Ethiopian beans this month were out of this world
            Bean Club got my office talking again
        """),
        swaps=("decaf instead of the dark roast", "ground instead of whole beans"),
        pile="There are six bags of beans in the cupboard",
    ),
    Product(
        name="Sprout Box",
        brand="Sprout Box",
        items=("plant box", "Sprout Box", "box of plants"),
        faults=lines("""
            two of the three plants came dead
            the pot was in pieces and there was soil all over
            the seedlings are covered in some sort of fly
        """),
        dislikes=("I have no sun for these plants", "The plants are poisonous for cats"),
        joys=lines("""
            my balcony is a jungle thanks to the Sprout Box
            even I can't kill your plants
        """),
        swaps=("the herbs instead of the cactus", "the pet safe plants"),
        pile="My windowsill is full",
    ),
    Product(
        name="Story Crate",
        brand="Story Crate",
        items=("book box", "Story Crate", "crate of books"),
        faults=lines("""
            the book is missing pages 30 to 46
            the sound button in the bedtime book is dead
            the cover of the big book was torn off
        """),
        dislikes=("We own two of these books already", "The books are for much older children"),
        joys=lines("""
            my daughter sleeps with the dragon book under her pillow
            the boys fight over who opens the crate
        """),
        swaps=("the crate for ages 6 to 8, not 3 to 5", "the books in French instead"),
        pile="Half the books are unread",
    ),
)

# A theme and something true about it that is not the point; named after the intent it brushes.
ASIDES = {
    "Where is my order": lines("""
        The last parcel came (on time|fine|quickly)
        Delivery was quick last time, to be fair
        Your driver's always lovely, by the way
        Last time <courier> left it in the rain but that's another story
        <other> arrived (the other day|early), no trouble there
        The other parcel got here, thanks
    """),
    "Return or refund": lines("""
        (I'm not after a refund|I don't want money back), by the way
        I sent something back in <month> and that went fine
        I don't want to send anything back
        The refund for the other thing came through, thank you
        I know about the 30 days
    """),
    "Payment problem": lines("""
        I paid by card, that's all fine
        Paid <price> (for it|), like everyone
        The invoice came and is paid
        I used the voucher from the newsletter
        <price> isn't nothing for me
    """),
    "Account access": lines("""
        Took me ages to find my password to write this
        I'm logged in as <name>, I think
        Your app works (again|nicely) on my phone now
        (I ordered|It's ordered) as a guest so I've no account
        I looked in my account (first|already)
    """),
    "Broken or faulty": lines("""
        The <goods> I bought in <month> (works|does its job)
        (My last one|The one before) lasted nine years
        Nothing's broken, don't worry
        """),
    "Cancel subscription": lines("""
        I also get the <plan>, (that's fine|keep that going)
        We've had <plan> since <month>
        The <plan> can carry on as it is
        My sister has the <plan> too
    """),
    "Change order or address": lines("""
        We moved in <month>, you have the new address
        My address is (up to date|the same as always)
        I still live at the same place
        I'd nearly ordered two
    """),
    "Praise or suggestion": lines("""
        I (usually|normally) love your stuff
        Your shop is nice otherwise
        I've recommended you to (friends|my sister|colleagues)
        The <goods> from you is great
        <name> on the chat was kind but couldn't help
    """),
}

# What leads up to the point without being about it; any intent may follow.
LEADS = lines("""
    I'm a carer and only get to this at night
    I'm writing for my mother, she's 81 and doesn't do email
    (Third|Second) time I'm writing (about this|now)
    Sorry for the long message
    Not sure this is the right place
    On my phone so excuse the typing
    I bought the <item> for my (son's|sister's|dad's) birthday
    I got the <item> in the spring sale
    Spoke to <name> (on <date>|last week), who said to write in
    Your chat bot couldn't help
    I've been a customer since (2016|2018|2020|day one)
    Maybe I'm being daft
    I've looked through the FAQ
    I hope you can help
    A quick (one|question)
    Right
    Ok so
    Long story short
    It's about the <item>
    About (my order|<order>|the <item>)
""")
ANGRY_LEADS = lines("""
    Seriously?
    I'm fed up
    This is getting (ridiculous|silly)
    Unbelievable
    What a (mess|joke)
    I have been patient
    Not impressed
    Do you even read these
""")
ANGRY_ENDS = lines("""
    Not good enough
    I expect an answer today
    Do something
    Never again
    I'll be telling people
    Come on
    Shambles
    Disappointing, I must say
""")
CHATTY = lines("""
    It's pouring down here in <city> and the dog wants out, so that's me done
    We've got my in-laws coming <soon>, as if there wasn't enough going on
    I'm no good with these things, my grandson usually does it
    I had a good laugh about it with my (husband|neighbour), but still
    Typing this on the train to <city>
    Hope you're all keeping well
    Anyway, you've probably got hundreds of these
    I know it's not your fault personally
    Tea's going cold so I'll stop here
""")
GREETINGS = lines("""
    Hi
    Hello
    Hi there
    Hey
    Good (morning|evening|afternoon)
    Dear (team|Sir or Madam|customer service)
    Hello (again|<name>)
    Hiya
    Morning
""")
ENDS = lines("""
    Thanks
    Thank you
    Thanks in advance
    Cheers
    Many thanks
    Ta
    Thx
    Kind regards
    Best
    Please (advise|help|get back to me)
    Looking forward to hearing from you
""")
NOTE_LEADS = lines("""
    (9|10|11|14|16):<num>0
    Call from <name>, <city>
    Bad line
    Polite
    Caller upset
    Rang twice
    Repeat caller
    <name> <city>
""")
NOTE_ASIDES = {
    "Where is my order": ("Last parcel came fine", "Asked about delivery times in passing"),
    "Return or refund": ("Not about a refund", "Knows how returns work"),
    "Payment problem": ("Paid by card, no issue", "Invoice is fine"),
    "Account access": ("Could log in ok", "No account, orders as guest"),
    "Broken or faulty": ("Her <goods> is still working", "Nothing broken"),
    "Cancel subscription": ("Also has <plan>, all fine there", "Keeps the <plan>"),
    "Change order or address": ("Address checked, correct", "Moved last year, we have that"),
    "Praise or suggestion": ("Chatted about her <goods>, happy with it", "Likes the new app"),
}
NOTE_ENDS = lines("""
    Call back after <num>
    Told we'd mail
    Pls pick up
    Rings back tomorrow
    No callback wanted
    Passed to <name>
    Left number
    Prefers email
""")
REVIEW_LEADS = lines("""
    (One star|Two stars|Three stars|3/5|2 out of 5)
    Nice app, (less nice service|shame about the rest)
    Used to be better
    Writing here because nobody answers mails
    Shop ok
    Good products
""")
PRAISE_LEADS = lines("""
    Five stars
    5/5
    Happy customer here
    I rarely write reviews
    Lovely app
""")
NAMES = ("Priya", "Tom", "Agnes", "Marek", "Joyce", "Yusuf", "Bea", "Callum", "Ines", "Dot", "Owen")
CITIES = ("Leeds", "Cork", "Bristol", "Dundee", "Galway", "Hull", "Swansea", "Derby", "Norwich")
COURIERS = ("Swiftly", "ParcelJay", "the courier", "Roadrunner", "the post", "ParcelJay")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
STREETS = ("Mill Lane", "Station Road", "Elm Close", "Harbour St", "Kiln Row", "Beech Ave")
TYPED_WRONG = {
    "receive": "recieve",
    "received": "recieved",
    "address": "adress",
    "definitely": "definately",
    "tomorrow": "tommorow",
    "because": "becuase",
    "really": "realy",
    "their": "there",
    "until": "untill",
    "which": "wich",
    "you": "u",
    "your": "ur",
    "please": "pls",
    "the": "teh",
    "with": "wiht",
    "again": "agian",
    "password": "pasword",
    "about": "abt",
    "probably": "prolly",
}
AMERICAN = {
    "parcel": "package",
    "favourite": "favorite",
    "colour": "color",
    "postcode": "zip code",
    "Mum": "Mom",
    "mum": "mom",
    "£": "$",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "litre": "liter",
    "jumper": "sweater",
    "flat": "apartment",
}
EMOJI = {"cross": "😡 🙄 😤 👎", "plain": "🙏 😅 🤔 🤷", "glad": "😍 ❤️ 🙌 😊"}
