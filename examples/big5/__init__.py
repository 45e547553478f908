"""A personality questionnaire of twenty items in the public domain, and its scores."""

from promptgrimoire import *

DESCRIPTION = "A personality questionnaire of twenty items, in an order of its own for everybody, scored at once."


class C:
    # The letter is the trait; an r at the end marks items that say the opposite of it. Source: https://ipip.ori.org
    ITEMS = {
        "e1": "I am the life of the party.",
        "e2r": "I don't talk a lot.",
        "e3": "I talk to a lot of different people at parties.",
        "e4r": "I keep in the background.",
        "a1": "I sympathize with others' feelings.",
        "a2r": "I am not interested in other people's problems.",
        "a3": "I feel others' emotions.",
        "a4r": "I am not really interested in others.",
        "c1": "I get chores done right away.",
        "c2r": "I often forget to put things back in their proper place.",
        "c3": "I like order.",
        "c4r": "I make a mess of things.",
        "n1": "I have frequent mood swings.",
        "n2r": "I am relaxed most of the time.",
        "n3": "I get upset easily.",
        "n4r": "I seldom feel blue.",
        "o1": "I have a vivid imagination.",
        "o2r": "I am not interested in abstract ideas.",
        "o3r": "I have difficulty understanding abstract ideas.",
        "o4r": "I do not have a good imagination.",
    }
    TRAITS = {"e": "Extraversion", "a": "Agreeableness", "c": "Conscientiousness", "n": "Neuroticism", "o": "Openness"}
    ANSWERS = {1: "Very inaccurate", 2: "Rather inaccurate", 3: "Neither", 4: "Rather accurate", 5: "Very accurate"}


class Items(Page):
    title = "How well does this describe you?"

    # A function, since everybody gets an order of their own: it runs once, and a reload shows the same.
    def fields(page, player):
        names = list(C.ITEMS)
        player.rng.shuffle(names)
        return {name: LikertField(label=C.ITEMS[name], choices=C.ANSWERS) for name in names}

    def after_once(page, player):
        player.scores = {trait: score(player, letter) for letter, trait in C.TRAITS.items()}


class Profile(Page):
    pass


def score(player, letter):
    """The mean of a trait's items, from 1 to 5."""
    answers = [
        6 - player.get(name) if name.endswith("r") else player.get(name) for name in C.ITEMS if name[0] == letter
    ]
    return sum(answers) / len(answers)


page_order = [Items, Profile]
