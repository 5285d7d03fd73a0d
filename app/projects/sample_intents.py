"""What customers of the made-up shop write, intent by intent.

One phrase a line. `(a|b)` is one of the two, `<slot>` is filled by app.projects.sample.
A core alone lets a reader name the intent, often without naming it itself; a follow-up need not.
Notes are what a colleague jots down during a phone call, so they speak of the customer.
"""

from dataclasses import dataclass

from app.projects.sample_words import lines


@dataclass(frozen=True)
class IntentWords:
    """One intent: its name, its share of all messages in percent, and its phrases."""

    name: str
    share: int
    subjects: tuple[str, ...]
    cores: tuple[str, ...]
    follow_ups: tuple[str, ...]
    notes: tuple[str, ...]


WHERE_IS_MY_ORDER = IntentWords(
    name="Where is my order",
    share=21,
    subjects=(
        "missing parcel",
        "late delivery",
        "delivery of <item>",
        "parcel not here",
        "where is it??",
    ),
    cores=lines("""
        Has my (parcel|order) got lost? <order>, placed <date>
        Where on earth is my <item>, it's been <days> days
        The app shows my parcel <num> stops away. It has shown that since <date>
        Delivery was meant to be <date>. It wasn't
        No <item>, no mail, no tracking, (just silence|nothing). Ordered <ago>
        Could somebody tell me which day my delivery is coming, I can't sit in all week
        My parcel went from <city> to <city> and back to <city> again, is anyone steering it
        <order> still isn't here and your page just says "on its way"
        Other shops deliver overnight. I've waited <days> days for one <item>
        Any news on (the|my) <item>? Ordered (on <date>|<ago>) and (still nothing|not here)
        Tracking has said "(out for delivery|label created|in transit)" for <days> days (now|)
        I'm still waiting for (the|my) <item> I ordered (on <date>|<ago>)
        It's been <days> days and there's (no sign of|still no) <item> (here|)
        Your system says delivered, (but there's nothing here|my doormat disagrees)
        The courier's photo shows a (red|glass) door. Mine's (green|white). So where's my <item>
        (Should I|Do I) stay in for the <item> (today|tomorrow) or is it (next week|late) again
        I keep (checking the hallway|refreshing the page|looking out the window) for this <item>
        You said 2 to 3 days. That was <ago>
        The birthday is on <soon> and the <item> still hasn't (left your warehouse|turned up)
        Nobody rang, no card through the door, and now it says "returned to depot"
        My neighbours don't have it, the shop on the corner doesn't have it. Where did it go
        <order> seems to be (on a tour of the country|stuck somewhere around <city>)
        The link you sent shows (<city>, then nothing|a van that hasn't moved in <days> days)
        Half of <order> came. The other half, the <item>, did not
        When is <order> going to (get here|arrive|be dispatched)
        (Just checking|Wondering) whether <order> has (gone out|been shipped) yet, got no email
        Was the <item> ever sent? (The status page is blank|It's been "packing" since <date>)
        I took the (day|morning) off for this delivery and (no one came|the van drove straight past)
        Is <courier> on strike or something? <item> was due <ago>
        No idea if I'll have the <item> before we (leave|fly) on <soon>. Can anyone tell me
        The courier says they never got it from you, you say they have it
        how long does it normally take to <city>? Day <days> here and I'm starting to wonder
        Everyone else in my street gets their stuff in two days, mine's been in <city> since <date>
        Not arrived. <order>
    """),
    follow_ups=lines("""
        Where is my (order|parcel|delivery)?
        (When will it be delivered|What day does it get here)?
        It's late, that's all I know
        How can a parcel just vanish
        (Can|Could) you (look into it|chase the courier|find out where it is|give me a date)?
        It was a present, so (time matters|I look pretty silly now)
        The tracking number doesn't work (either|on their site)
        A rough day would already help
        I was home all (day|morning|week)
        <courier> (just plays music at me|won't speak to me, only to the sender)
        Is it lost?
        Please don't tell me to wait another 48 hours
        That's <order>
    """),
    notes=lines("""
        Cust rang, <item> ordered <date> not arrived, tracking stuck in <city>
        Caller says <order> shows delivered, not in his porch, neighbours asked
        Lady from <city> wants to know when the <item> will come, was told <days> days
        <order>: no dispatch mail received, caller asks if it's gone out at all
        Second call about the same missing parcel, <courier> can't find it
        Caller waited in all day, van never came. Promised we'd ring <courier>
        Wants an ETA for <item>, leaving the country <soon>
        Only one of two boxes turned up, <item> still missing, <order>
    """),
)

RETURN_OR_REFUND = IntentWords(
    name="Return or refund",
    share=16,
    subjects=("refund", "return of <item>", "sending it back", "money back", "refund for <order>"),
    cores=lines("""
        I want a refund for the <item>, <order>
        When will I get the refund for <order>? It went back <ago>
        Where do I find the return form? The <item> isn't for me
        You promised my <price> back within 5 days, that was <ago>
        Can I hand the <item> back in a shop or only by post
        My return of <order> was turned down "outside the period", I posted it on day <days>
        I'd sooner have the money than the <item> if I'm honest. <dislike>
        Bought it for a party that's been called off, still boxed. Would you take it back
        Sent two things back in one box and you've only refunded one of them
        How do I send the <item> back? <dislike>
        <dislike>. (I'd rather have my money back|Not for me, where do I post it)
        I'd like to return (the|my) <item>, (it's unused|still in its box|only opened once)
        You got the <item> back on <date> and (I still haven't seen a penny|I'm still out <price>)
        Where's my <price>? (The parcel reached you|You signed for the return) <ago>
        Is it free to send things back or do I pay (the postage|for that)
        It's not what I expected. <dislike>. What are my options
        (My husband|My mum|My daughter) already has one, so the <item> can go back to you
        I changed my mind about the <item>. (It's still sealed|Tags still on)
        Day <days> of your 30 days, the <item> hasn't left its box and it won't
        Do I need the (original box|receipt) to (bring|send) it back
        The return label (won't print|is for the wrong country|never came)
        Which (drop-off point|counter) takes your returns in <city>
        You've only given me back (half|part), the <item> cost <price>
        Got a store credit. I wanted (actual money|it back on my card)
        Please take it back. <dislike>
        (The gift|It) wasn't a hit. Can she swap it for money even though I (bought|ordered) it
        I've had the <item> boxed up by the door since <date> and nobody's collected it
        Ordered two sizes to compare, keeping one. The other one's coming your way, how
        How long till the money is back? I dropped the <item> off on <date>
        Honestly it's just not me. <dislike>. (Can it go back|Still within the 30 days I think)
        I sent it back a (week|fortnight) ago, <order>, your side says "(received|processing)"
        Can I return something I bought (in the sale|with a voucher)
        Wrong thing in the box, I'm not after another, (just reverse it|just give me the <price>)
    """),
    follow_ups=lines("""
        How does (a refund|a return) work with you?
        I'd like (the refund|my money back) please
        When do I get my refund?
        So: return it, money back, how?
        It (cost|was) <price>
        I'd need a label, no printer here though
        Nothing wrong with it otherwise
        It's for <order>
        I've kept the (box|packaging|receipt)
        How many days have I got left?
        Back on the same card please
        I just don't want to keep it
        Your policy page is (a maze|not exactly clear on this)
        I could use that money this month
    """),
    notes=lines("""
        Cust wants to send <item> back, unopened, asked for label by post
        Caller returned <item> on <date>, no money yet, <price>
        Wants refund to card not credit, <order>
        <item> not to her liking, within 30 days, explained how to send back
        Caller asks whether sale goods can go back. Told yes. Label mailed
        Collection of return never happened, caller has box waiting, <city>
        Refund short by <price>, caller wants the rest, <order>
        Gift recipient wants to give <item> back, no receipt, asked what's possible
    """),
)

PAYMENT_PROBLEM = IntentWords(
    name="Payment problem",
    share=13,
    subjects=("wrong charge", "payment", "billing question", "my card", "charged <price>"),
    cores=lines("""
        Why does the checkout (refuse|reject) my card when every other shop takes it
        I was charged <price> for an order I never managed to finish
        The payment failed <num> times but <price> left my account each time
        Could you send me the invoice for <order>, the attachment was empty
        My bill says <price>, the order confirmation says something else
        Apple Pay closes by itself the moment I press pay
        I've been charged for two and bought one, <order>
        A direct debit of <price> bounced because you took it a week early
        There's an unknown charge from your shop on my credit card, <price>, <date>
        You've taken <price> twice for (one|the same) <item>
        My card (gets|keeps getting) refused, (the bank says it's fine|same card worked on Sunday)
        There's a <price> on my statement from you and I can't place it
        The voucher (code|) was accepted and then I got charged the full <price> (anyway|)
        I paid <price>, the page went white, and now the order says "(unpaid|awaiting payment)"
        I need (an invoice|a proper VAT receipt) for <order>, (my accountant is asking|for work)
        (Got a reminder|Why am I getting a letter) about <price> I paid on <date>
        Checkout spins (forever|and spins) after I put my card number in
        Three little pending lines of <price> on my account, for one <item>
        Can I pay (by bank transfer|in two parts|on invoice)? The form only wants a card
        The price was <price> in the basket and (my bank says something else|more at the end)
        Bank took it, you say you never got it. <price>, <date>
        My PayPal says completed, your site says failed
        (Your|The) invoice for <order> has the (wrong company name|wrong VAT number|old total) on it
        It asks for a code from my bank that (never arrives|comes too late)
        How come I was billed in (dollars|euros)? The fee on top is on me now
        Gift card has <price> on it, (your till page says zero|won't go through)
        My bank blocked you as suspicious when I tried to buy the <item>
        Someone used my card for <price> in your shop, it (was not|wasn't) me
        New card, old one expired, and the form (won't save it|keeps the old number)
        The <num> % discount never came off. Paid <price> (in full|) for <order>
        I was charged delivery even though it said free over <price>
    """),
    follow_ups=lines("""
        The payment is the (problem|issue), nothing else
        Please check the payment (on your side|)
        Did my payment go through or not?
        I've been billed wrong, I think
        Please sort out the charge
        I've (got|attached) a screenshot of the statement
        It's <price> we're talking about
        My bank told me to ask you
        Visa, if that matters
        I tried (another browser|two cards|it on my laptop as well)
        I'm not paying twice
        Which of the two is real?
        The amount left on <date>
        The rent's due so this isn't (great|funny)
    """),
    notes=lines("""
        Caller charged twice <price> for <order>, bank confirms both went out
        Card declined at checkout three times, cust says bank sees no problem
        Needs VAT invoice for <order>, sends to accountant
        Cust got dunning letter, paid <date>, has proof
        Voucher not deducted, billed full <price>
        Doesn't recognise <price> from us on her statement
        Paid by PayPal, order still shows unpaid, <order>
        Asks to pay for <item> by bank transfer, no card
    """),
)

ACCOUNT_ACCESS = IntentWords(
    name="Account access",
    share=11,
    subjects=("can't log in", "login trouble", "my account", "password", "signing in"),
    cores=lines("""
        I can't log in, it says my account (is blocked|has been disabled)
        Forgot my password and the reset (link|page) just goes round in circles
        The code to sign in arrives (an hour late|after it has run out), every single time
        After the update the app asks me to log in and then rejects me
        Please unlock my account, I typed the old password too often
        I want to sign in with a different email, the old one was from work
        My login works on the laptop but on the phone it says "unknown device"
        I think my account has been hacked, there's an address in it I've never seen
        Whatever I type, the login page just reloads
        It (says|tells me) my password is wrong. It isn't
        The reset (mail|link) (never comes|has expired by the time I open it|goes nowhere)
        I can't get in (any more|since the update|on my new phone)
        Locked out after <num> tries, (how long does that last|now what)
        I no longer have the (email address|phone number) I signed up with
        The six digits it wants are sent to a number I gave up (years ago|in spring)
        Apparently I don't exist? Typed my mail and it says unknown user
        How do I get back to my (old orders|profile), the app (threw me out|logged me out)
        "Something went wrong" every time I sign in, (phone and laptop|all browsers)
        (Somebody|Someone in <city>) logged in as me on <date>, I've never been there
        My mail was changed (without me|by someone), I can't see my own orders now
        Two profiles with the same address, I only ever see the empty one
        I (want|would like) everything you store about me deleted, profile included
        My wife set it all up and I don't know (her|the) password, she (passed away|is abroad)
        The Google button (does nothing|opens an empty window), and I never made a password
        Facebook is gone for me. That was how I signed in with you
        (App|It) wants me to confirm my email, I press the button, it wants me to confirm my email
        Won't let me in until I prove I'm human, (<num>|fifteen) lots of traffic lights so far
        Can't change my email, it says already in use. By me!!
        My profile shows another person's name and orders, I shouldn't be seeing this
        Never asked for a new password, yet I've had <num> mails about it (today|since Monday)
    """),
    follow_ups=lines("""
        I just want to (log in|sign in)
        How do I get back into my account?
        My account is (as good as|) gone
        So no login, no orders, nothing
        I only want to look at <order>
        My email is the one I'm writing from
        Yes I checked spam
        Caps lock is off, promise
        Could you reset it from your end?
        Tried it on (two phones|the laptop|incognito)
        Same thing (this morning|all week)
        I even reinstalled the app
        What do I have to do to prove I'm me?
        I've been with you since 2019
    """),
    notes=lines("""
        Caller locked out after too many tries, reset mail doesn't reach him
        Cust lost phone, second code goes to old number, can't sign in
        Mother of customer, daughter's login, wants in, explained we can't
        Wants her profile and data erased
        Says someone else changed the email on his profile, sees no orders any more
        Reset link expired twice, cust not good with computers, went through it together
        App logs caller out at once since update, on an older tablet
        Signed up with two mails, can't find her orders in either
    """),
)

BROKEN_OR_FAULTY = IntentWords(
    name="Broken or faulty",
    share=13,
    subjects=("broken <item>", "faulty <item>", "defect", "warranty", "damaged <item>"),
    cores=lines("""
        My <item> is broken. <fault>
        <fault>, and I bought it <ago>
        I don't think it's meant to be like this: <fault>
        Got a bad one I suppose, <fault>
        <fault>. (Happened to anyone else|Never had that before)?
        Arrived on <date>, and <fault>. A <brand> should be better than that
        <fault>
        <fault>. (Is that normal|That can't be right|Known problem)?
        (Had|I've had) it (<ago>|since <date>) and <fault>
        (Opened|Unpacked) the <item> (just now|today) and <fault>
        It's only been <days> days and <fault>
        <fault>, (what now|what am I supposed to do with that)
        I was so (happy with|pleased about) the <item> until <fault>
        Second <item>( from you|), same thing: <fault>
        Is there a trick to this? <fault>
        The <item> is (faulty|no good|a dud). <fault>
        Not sure if I'm doing it wrong but <fault>
        (My kid|My flatmate|My husband) swears (he|they) didn't touch it. <fault>
        Under warranty I hope: <fault>
        The box looked fine from outside, inside though: <fault>
    """),
    follow_ups=lines("""
        It's (faulty|broken|defective), isn't it?
        Looks like a (defect|bad one) to me
        Can it be repaired?
        A broken <item> is no use to me
        Do you repair these or (swap|replace) them?
        (Can|Could) you send (a spare part|a working one|another)?
        I've attached (a photo|two photos|a video)
        Still under guarantee, bought <date>
        I'd like one that works
        What should I try?
        The last one from you ran for years
        It's a shame because I like it otherwise
        It was <order>
        Is there anyone who can fix it near <city>?
    """),
    notes=lines("""
        Caller reports a defect: <fault>
        <item> bought <date>. Cust says <fault>. Wants replacement
        <item> arrived damaged or faulty acc. to caller: <fault>
        Warranty case, <order>. <fault>
        Photo to follow by mail. <fault>
        Cust asks for spare part, <fault>
    """),
)

CANCEL_SUBSCRIPTION = IntentWords(
    name="Cancel subscription",
    share=9,
    subjects=("cancellation", "ending <brand>", "cancel <brand>", "unsubscribe", "my subscription"),
    cores=lines("""
        I want to cancel my <brand> subscription
        How do I cancel? I've looked through every menu for the <brand>
        Take this as my notice for the <brand>, last delivery in <next>
        You renewed my <brand> without asking, I don't want another (year|month) of it
        It's just me now and I don't need a <item> every month
        I'm going back to buying it when I need it, so no more monthly <item>
        Unsubscribe me from the <brand>. Not the newsletter, the boxes
        Could the <brand> run out (in <next>|at the end of the month) instead of renewing
        I asked for the <brand> to end on <date> and you've packed another <item>
        Please stop sending me the <item>, (last one please|we have enough)
        I'd like to end the <brand> (after this month|as of now|before the next one)
        How do I get out of the <brand>? (There's no button|I only find "upgrade")
        No more <brand> for me, (thanks|I'm afraid)
        (We can't keep up|It piles up here). <pile>
        I only wanted the trial of the <brand>, (don't|please don't) carry it on
        Don't renew me on <soon>
        I'm moving (abroad|into a home|in with someone who has it too) so <brand> has to stop
        (Money's tight|I've lost my job), the <brand> is the first thing to go
        It was lovely for a year. (But that's it|Time to say goodbye to the <brand>)
        Last month you said the <brand> was stopped, and (here's another <item>|it's still active)
        When's the last day I can quit so that I don't get the (next|<next>) one
        (My mum|My father) signed up for <brand> by mistake, she's 84, please undo it for good
        Am I tied in for a year? I'd like (out|to leave) the <brand>
        I've clicked "pause" three times now, I meant (stop|for ever)
        Is <next> the last <item> then? I gave notice on <date> and never heard back
        <pile>, so take me off the list please
        Found a cheaper one. Nothing personal, just close the <brand>
        The kids have outgrown it / we've outgrown it, no next <item> please
        I want to leave the <brand>, and not "skip a month" like your bot keeps offering
    """),
    follow_ups=lines("""
        So please cancel (my subscription|it)
        Cancel, not pause
        I don't want (the subscription|to be subscribed) any more
        No more monthly payments, no more boxes
        And confirm it in writing (please|)
        It's in my (mum's|wife's|own) name
        No, I don't want (a discount|to pause)
        <pile>
        Maybe again next (year|winter)
        The next one's due <soon>
        You make it very hard to leave
        Four weeks' notice, I know
        Member since 2021
    """),
    notes=lines("""
        Caller ends <brand>, wants written confirmation
        Wants out of <brand> before <soon>, offered a pause, declined
        Cust gave notice <date>, got another <item> today, not amused
        Daughter calls for father, he's in care now, <brand> to stop
        <brand> only meant as trial, not to be renewed
        <brand>: too much for one person. Stop after <next>
    """),
)

CHANGE_ORDER_OR_ADDRESS = IntentWords(
    name="Change order or address",
    share=10,
    subjects=(
        "change to <order>",
        "new address",
        "wrong address",
        "please amend <order>",
        "my order",
    ),
    cores=lines("""
        Please change the delivery address for <order> to <address>
        Can I still change <order>? I'd like <swap>
        Wrong address on my order, it's <address>, not the one you have
        I forgot to add the <goods> to <order>, can you put it in
        Would you send <order> to my work, there's nobody home in the day
        I ordered the wrong one, it should be <swap>, please fix it before you pack
        Need it sooner, can you (switch|move) <order> to express? I'll pay the extra
        The parcel should go to my (dad|sister) at <address>, I left mine in by habit
        Can someone edit <order>, I want <num> of them not one
        I put the wrong (house number|street|postcode) on <order>, it should be <address>
        (Could|Can) <order> go to (my office|my sister|<address>) instead
        (Can I|Is it too late to) make it <swap>
        I (meant|wanted) <swap>. Ordered <mins> minutes ago
        We move on <soon>, from then on everything to <address> please
        Please add (one more|a second) <item> to <order>, (same box|if it hasn't gone out)
        Oops, I've got the <item> in <order> <num> times, one is enough
        My old flat is still on <order>. New one: <address>
        The name on the (label|parcel) should be my (neighbour's|maiden name), I'm not on the bell
        I'm away (until|till) <soon>, (hold it back|send it after that) please
        Take the <item> off <order>, leave the rest
        (Deliver|Leave) it at the pick-up shop in <city> rather than at home, (I work days|)
        Pressed buy too quickly. (Scrap|Kill) <order> before it's packed
        Autofill put in my ex's place!! <address> is where I live
        Could the gift note say "(Love from Gran|Well done, you|Happy 40th)" and leave the price out
        The phone number for the driver is wrong on <order>, last digits are <num><num>
        You have <address> on file, we haven't lived there since (spring|last year)
        Flat <num> not flat <num>4, the man upstairs keeps (my|our) post
        Can you put <order> and the other one from (today|yesterday) in one parcel
        If it's not in the van yet, (could it be|I'd take) <swap>
    """),
    follow_ups=lines("""
        Can you change (the order|the address|it) (for me|)?
        Please change it before it ships
        I need the delivery address (corrected|changed)
        Can you still edit it?
        It hasn't (shipped|gone out) yet according to the app
        Is that still possible?
        I ordered it (this morning|an hour ago|last night)
        My mistake entirely
        It's <order>
        If not never mind
        There's no edit button anywhere
        Just the one order, not for always
        Please say it's not too late
    """),
    notes=lines("""
        <order> to go to <address>, caller mistyped
        Cust wants <swap>, not shipped yet
        Caller moves <soon>, new address <address>
        Add second <item> to <order> if not packed
        Ordered by accident, stop <order> before it goes out
        Away until <soon>, hold parcel back
        Wants pick-up shop in <city> instead of home
    """),
)

PRAISE_OR_SUGGESTION = IntentWords(
    name="Praise or suggestion",
    share=7,
    subjects=(
        "feedback",
        "just a comment",
        "for your team",
        "no complaint for once",
        "a happy customer",
    ),
    cores=lines("""
        (Thank you|A big thank you) for the <item>, <joy>
        I'm so (happy|pleased) with the <item>, (you've got a fan|couldn't be better)
        Great service, great <item>, (I'll order again|what more can you want)
        Have you thought of (selling spare parts|a gift wrap option|a repair café)? I'd use it
        Compliments to your (designer|team|packers), <joy>
        A small suggestion: (show the weight of things|tell us the size in cm), I'd buy more
        I wish more shops were like you. <joy>
        Just wanted to say how (kind|helpful) <name> was when I rang
        <joy>. (Just wanted to say that|Thought you should know|That's all)
        (Love|Absolutely love|Really like) the <item>. <joy>
        Whoever (packed|wrapped) my <item> (deserves a raise|put a little card in, that made my day)
        (Could|Would) you ever make the <item> in (green|a smaller size|wood|dark blue)?
        It would be nice if the app (had a wish list|remembered my size|had a dark mode)
        <name> on your chat was (an absolute star|so patient with me|brilliant), pass it on
        Idea: less (plastic|paper|tape) in the boxes, the <item> would survive
        (Was sceptical|I had doubts), but <joy>
        <joy>, (my neighbour wants one too|now my brother wants one)
        Please bring back the (old|yellow|striped) one, everyone I know misses it
        (Best|Nicest) shop I've dealt with in ages, and I don't say that (often|lightly)
        You could print the washing-up or care tips on the box, save people looking
        Why not let us rate the <item> with photos? I'd (post|share) mine, it's that pretty
        It all went (smoothly|like clockwork), (ordered Monday, here Wednesday|not a hitch)
        A filter for left-handed people would be great on the site. Otherwise (top|lovely)
        My review: <joy>. (10/10|Five stars|A plus)
        Only one wish, (a longer cable|a lid|a little pouch) with the <item> next time
        Hats off for fixing my thing from <month>, I'd expected a fight and got (kindness|<name>)
    """),
    follow_ups=lines("""
        (Great|Lovely) shop, (great|lovely) people
        Nothing to complain about
        Thank you all so much
        (Keep it up|Carry on like this|Well done)
        No reply needed
        I've told (everyone|my book group|half the office)
        Will be back
        Tell the team
        Made my week
        You asked for feedback, so there it is
    """),
    notes=lines("""
        Caller only wanted to say thanks, <joy>
        Suggests (green|larger|smaller) <item>, passed on to design
        Compliment for <name>, helped her with everything
        Idea from cust: less plastic in boxes
        Happy customer, <joy>. No action
        Would like a wish list in the app. Passed on
    """),
)

INTENTS = (
    WHERE_IS_MY_ORDER,
    RETURN_OR_REFUND,
    PAYMENT_PROBLEM,
    ACCOUNT_ACCESS,
    BROKEN_OR_FAULTY,
    CANCEL_SUBSCRIPTION,
    CHANGE_ORDER_OR_ADDRESS,
    PRAISE_OR_SUGGESTION,
)
