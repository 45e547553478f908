"""The mistakes that authors make: each is an error at loading, with file, line and mend (evidence 41, 43)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from promptgrimoire.errors import ExperimentError
from tests.authoring.conftest import Loaded

STAR = "from promptgrimoire import *\n"
PAGE = '\nclass Start(Page):\n    """# Start"""\n'  # lines 3 and 4 after STAR
ORDER = "\npage_order = [Start]\n"
OK = '{% extends "Base.html" %}{% block main %}Hello{% endblock %}'


@dataclass
class Mistake:
    code: str
    where: str
    says: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)


MISTAKES = {
    "missing template": Mistake(
        f"{STAR}class Start(Page):\n    pass\n{ORDER}",
        "game/__init__.py:2",
        ("Start has no template", "add game/Start.html", "starts with '# '"),
    ),
    "docstring that is a note": Mistake(
        f'{STAR}class Start(Page):\n    """Welcomes people."""\n{ORDER}',
        "game/__init__.py:2",
        ("Start has no template", "Start.html", "starts with '# '"),
    ),
    "template of nearly that name": Mistake(
        f"{STAR}class Start(Page):\n    pass\n{ORDER}",
        "game/__init__.py:2",
        ("rename start.html to Start.html",),
        {"start_html": OK},
    ),
    "named template missing": Mistake(
        f'{STAR}class Start(Page):\n    template = "Wlcome.html"\n{ORDER}',
        "game/__init__.py:3",
        ("there is no Wlcome.html", "did you mean 'Welcome.html'"),
        {"Welcome_html": OK},
    ),
    "misspelt hook": Mistake(
        f"{STAR}{PAGE}    def templatvars(page, player):\n        return {{}}\n{ORDER}",
        "game/__init__.py:5",
        ("Start.templatvars", "did you mean 'templatevars'"),
    ),
    "misspelt attribute": Mistake(
        f'{STAR}{PAGE}    templte = "Start.html"\n{ORDER}',
        "game/__init__.py:5",
        ("Start.templte", "did you mean 'template'"),
    ),
    "hook in another style of name": Mistake(
        f"{STAR}{PAGE}    def beforeOnce(page, player):\n        player.x = 1\n{ORDER}",
        "game/__init__.py:5",
        ("did you mean 'before_once'",),
    ),
    "hook of the module in a page": Mistake(
        f"{STAR}{PAGE}    def new_player(player):\n        player.x = 1\n{ORDER}",
        "game/__init__.py:5",
        ("Start.new_player: belongs to the module", "def new_player(player)"),
    ),
    "hook of a page in the module": Mistake(
        f"{STAR}{PAGE}{ORDER}def before_once(page, player):\n    player.x = 1\n",
        "game/__init__.py:7",
        ("before_once: belongs to a page", "move it into the class"),
    ),
    "oTree's import": Mistake(
        f"from otree.api import *\n{PAGE}{ORDER}", "game/__init__.py:1", ("write from promptgrimoire import *",)
    ),
    "unknown parameter of on_disconnect": Mistake(
        f"{STAR}{PAGE}{ORDER}def on_disconnect(player, why):\n    player.x = 1\n",
        "game/__init__.py:7",
        ("expected (player) or (player, reason), found (player, why)",),
    ),
    "oTree's is_displayed": Mistake(
        f"{STAR}{PAGE}    @staticmethod\n    def is_displayed(player):\n        return True\n{ORDER}",
        "game/__init__.py:6",
        ("Start.is_displayed is oTree's name", "def show(page, player)"),
    ),
    "oTree's vars_for_template": Mistake(
        f"{STAR}{PAGE}    def vars_for_template(player):\n        return {{}}\n{ORDER}",
        "game/__init__.py:5",
        ("def templatevars(page, player)",),
    ),
    "oTree's live_method": Mistake(
        f"{STAR}{PAGE}    live_method = 'live_bid'\n{ORDER}",
        "game/__init__.py:5",
        ("@live async def name(page, player, ...)",),
    ),
    "oTree's form_model": Mistake(
        f"{STAR}{PAGE}    form_model = 'player'\n{ORDER}", "game/__init__.py:5", ("fields = ",)
    ),
    "oTree's creating_session": Mistake(
        f"{STAR}{PAGE}{ORDER}def creating_session(subsession):\n    pass\n",
        "game/__init__.py:7",
        ("creating_session is oTree's name", "def new_session(session)"),
    ),
    "oTree's page_sequence": Mistake(
        f"{STAR}{PAGE}\npage_sequence = [Start]\n", "game/__init__.py:6", ("page_order = [...]",)
    ),
    "oTree's WaitPage": Mistake(
        f"{STAR}class Together(WaitPage):\n    pass\n",
        "game/__init__.py:2",
        ("'WaitPage' is not defined", "oTree's name; here it is: SynchronizingWait"),
    ),
    "a field's parameter in oTree": Mistake(
        f"{STAR}{PAGE}    fields = dict(age=IntegerField(label='Age', blank=True))\n{ORDER}",
        "game/__init__.py:5",
        ("there is no parameter 'blank'; here it is optional=True",),
    ),
    "fields that returns nothing": Mistake(
        f"{STAR}{PAGE}    def fields(page, player):\n        player.x = dict(age=IntegerField(label='Age'))\n{ORDER}",
        "game/__init__.py:5",
        ("return a dict of fields",),
    ),
    "fields that are not returned": Mistake(
        f"{STAR}{PAGE}    def fields(page, player):\n        dict(age=IntegerField(label='Age'))\n{ORDER}",
        "game/__init__.py:6",
        ("write return dict(age=IntegerField(label='Age'))",),
    ),
    "condition that is not returned": Mistake(
        f"{STAR}{PAGE}    def show(page, player):\n        player.role == 'sender'\n{ORDER}",
        "game/__init__.py:6",
        ("write return player.role == 'sender'",),
    ),
    "misspelt new_session": Mistake(
        f"{STAR}{PAGE}{ORDER}def new_sesion(session):\n    session.count = 0\n",
        "game/__init__.py:7",
        ("did you mean 'new_session'",),
    ),
    "misspelt page_order": Mistake(
        f"{STAR}{PAGE}\npage_oder = [Start]\n", "game/__init__.py:6", ("did you mean 'page_order'",)
    ),
    "no page_order": Mistake(f"{STAR}{PAGE}", "game/__init__.py:1", ("no page_order", "page_order = [Start]")),
    "empty page_order": Mistake(f"{STAR}{PAGE}\npage_order = []\n", "game/__init__.py:6", ("page_order = [Start]",)),
    "no page at all": Mistake(STAR, "game/__init__.py:1", ("class MyPage(Page)",)),
    "page_order in itself": Mistake(
        f"{STAR}{PAGE}{ORDER}page_order.append(page_order)\n", "game/__init__.py:6", ("page_order: expected a page",)
    ),
    "text in page_order": Mistake(
        f'{STAR}{PAGE}\npage_order = [\n    Start,\n    "Start",\n]\n',
        "game/__init__.py:8",
        ("write Start without quotes",),
    ),
    "instance in page_order": Mistake(
        f"{STAR}{PAGE}\npage_order = [Start()]\n", "game/__init__.py:6", ("write Start without parentheses",)
    ),
    "unknown name in page_order": Mistake(
        f"{STAR}{PAGE}\npage_order = [Strat]\n",
        "game/__init__.py:6",
        ("'Strat' is not defined", "did you mean 'Start'"),
    ),
    "function in page_order": Mistake(
        f"{STAR}{PAGE}\ndef helper(player): ...\n\npage_order = [Start, helper]\n",
        "game/__init__.py:8",
        ("expected a page, found <function helper", "derive from Page"),
    ),
    "class without Page": Mistake(
        f"{STAR}class Start:\n    pass\n{ORDER}", "game/__init__.py:5", ("write class Start(Page)",)
    ),
    "group_size missing": Mistake(
        f"{STAR}class Start(GroupCreatingWait):\n    pass\n{ORDER}",
        "game/__init__.py:2",
        ("Start does not say how large its groups are", "add group_size = 2"),
    ),
    "group_size that is none": Mistake(
        f'{STAR}class Start(GroupCreatingWait):\n    group_size = "two"\n{ORDER}',
        "game/__init__.py:3",
        ("Start.group_size: expected a whole number of players, found 'two'",),
    ),
    "misspelt group_size": Mistake(
        f"{STAR}class Start(GroupCreatingWait):\n    group_sise = 2\n{ORDER}",
        "game/__init__.py:3",
        ("Start.group_sise", "did you mean 'group_size'"),
    ),
    "group_size on a page that forms no groups": Mistake(
        f"{STAR}class Start(SynchronizingWait):\n    group_size = 2\n{ORDER}",
        "game/__init__.py:3",
        ("belongs to a GroupCreatingWait, and this is a SynchronizingWait", "write class Start(GroupCreatingWait)"),
    ),
    "wait_for on an ordinary page": Mistake(
        f"{STAR}{PAGE}    def wait_for(page, player):\n        return []\n{ORDER}",
        "game/__init__.py:5",
        ("Start.wait_for: belongs to a wait page", "write class Start(SynchronizingWait)"),
    ),
    "all_here where groups are formed": Mistake(
        f"{STAR}class Start(GroupCreatingWait):\n    group_size = 2\n\n"
        f"    def all_here(page, group):\n        group.x = 1\n{ORDER}",
        "game/__init__.py:5",
        ("Start.all_here", "this is a GroupCreatingWait; here it is after_grouping"),
    ),
    "after_grouping where nobody is grouped": Mistake(
        f"{STAR}class Start(SynchronizingWait):\n    def after_grouping(page, group):\n        group.x = 1\n{ORDER}",
        "game/__init__.py:3",
        ("Start.after_grouping", "here it is all_here"),
    ),
    "wait page with a form": Mistake(
        f"{STAR}class Start(SynchronizingWait):\n    fields = dict(age=IntegerField())\n{ORDER}",
        "game/__init__.py:3",
        ("Start.fields: a wait page has no form",),
    ),
    "roles that are fewer than the members": Mistake(
        f'{STAR}class Start(GroupCreatingWait):\n    group_size = 3\n    roles = ("buyer", "seller")\n{ORDER}',
        "game/__init__.py:4",
        ("Start.roles: expected one for each of the 3 members, found 2",),
    ),
    "one role without a comma": Mistake(
        f'{STAR}class Start(GroupCreatingWait):\n    group_size = 1\n    roles = ("buyer")\n{ORDER}',
        "game/__init__.py:4",
        ('Start.roles: expected a tuple of texts, one for each member, as in ("buyer", "seller"), found',),
    ),
    "min_size above group_size": Mistake(
        f"{STAR}class Start(GroupCreatingWait):\n    group_size = 3\n    min_size = 4\n    patience = 60\n{ORDER}",
        "game/__init__.py:4",
        ("Start.min_size: expected at most group_size (3), found 4",),
    ),
    "min_size without patience": Mistake(
        f"{STAR}class Start(GroupCreatingWait):\n    group_size = 3\n    min_size = 2\n{ORDER}",
        "game/__init__.py:4",
        ("Start.min_size: acts only once a player has waited so long", "add patience"),
    ),
    "missing without patience": Mistake(
        f"{STAR}class Start(SynchronizingWait):\n    def missing(page, group, absent):\n        group.x = 1\n{ORDER}",
        "game/__init__.py:3",
        ("Start.missing: acts only once", "add patience"),
    ),
    "patience that is no number": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    patience = "60"\n{ORDER}',
        "game/__init__.py:3",
        ("Start.patience: expected seconds (a number above 0), found '60'",),
    ),
    "unknown if_missing": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    patience = 60\n    if_missing = "procede"\n{ORDER}',
        "game/__init__.py:4",
        ("Start.if_missing: expected", "found 'procede'; did you mean 'proceed'"),
    ),
    "if_missing that names a page wrongly": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    patience = 60\n    if_missing = "Sory"\n\n'
        "class Sorry(Page):\n    pass\n\npage_order = [Start, Sorry]\n",
        "game/__init__.py:4",
        ("Start.if_missing: expected", "found 'Sory'; did you mean 'Sorry'"),
    ),
    "if_missing that names nothing": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    patience = 60\n    if_missing = "Somewhere"\n{ORDER}',
        "game/__init__.py:4",
        ("Start.if_missing: expected", "found 'Somewhere'; of a page, write the name that is in page_order"),
    ),
    "if_missing that leads nowhere": Mistake(
        f"{STAR}{PAGE}\nclass Sorry(Start):\n    title = 'Sorry'\n"
        f"class Wait(SynchronizingWait):\n    patience = 60\n    if_missing = Sorry\n\npage_order = [Start, Wait]\n",
        "game/__init__.py:10",
        ("Wait.if_missing: Sorry is not in page_order",),
    ),
    "dissolving a group that is not there": Mistake(
        f'{STAR}class Start(GroupCreatingWait):\n    group_size = 2\n    patience = 60\n    if_missing = "dissolve"\n'
        f"{ORDER}",
        "game/__init__.py:5",
        ("Start.if_missing: here is no group yet", 'write "proceed"'),
    ),
    "dissolving a session": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    synchronize = "session"\n    patience = 60\n'
        f'    if_missing = "dissolve"\n{ORDER}',
        "game/__init__.py:5",
        ("Start.if_missing: nobody can be put out of a session", 'write "proceed"'),
    ),
    "unknown synchronize": Mistake(
        f'{STAR}class Start(SynchronizingWait):\n    synchronize = "sesion"\n{ORDER}',
        "game/__init__.py:3",
        ("Start.synchronize: expected \"group\" or \"session\", found 'sesion'; did you mean 'session'",),
    ),
    "live method without player": Mistake(
        f"{STAR}{PAGE}    @live\n    async def bid(page, amount: int):\n        return amount\n{ORDER}",
        "game/__init__.py:6",
        ("Start.bid", "found (page, amount)", "write def bid(page, player, amount)"),
    ),
    "live method without page": Mistake(
        f"{STAR}{PAGE}    @live\n    async def bid(player, amount: int):\n        return amount\n{ORDER}",
        "game/__init__.py:6",
        ("found (player, amount)", "write def bid(page, player, amount)"),
    ),
    "misspelt player in a live method": Mistake(
        f"{STAR}{PAGE}    @live\n    async def bid(page, plyer, amount: int):\n        return amount\n{ORDER}",
        "game/__init__.py:6",
        ("found (page, plyer, amount)", "write def bid(page, player, amount)"),
    ),
    "hint that cannot be validated": Mistake(
        f"{STAR}{PAGE}    @live\n    async def bid(page, player, amount: complex):\n        return 1\n{ORDER}",
        "game/__init__.py:6",
        ("Start.bid", "'amount'", "complex", "use int, float"),
    ),
    "hint that is not defined": Mistake(
        f"from __future__ import annotations\n{STAR}{PAGE}    @live\n"
        f"    async def bid(page, player, amount: Fraction):\n        return 1\n{ORDER}",
        "game/__init__.py:7",
        ("Start.bid", "'Fraction' is not defined"),
    ),
    "live method that streams": Mistake(
        f"{STAR}{PAGE}    @live\n    async def say(page, player):\n        yield 1\n{ORDER}",
        "game/__init__.py:6",
        ("later version",),
    ),
    "live method named like a hook": Mistake(
        f"{STAR}{PAGE}    @live\n    async def show(page, player):\n        return 1\n{ORDER}",
        "game/__init__.py:6",
        ("cannot be named like a hook", "rename"),
    ),
    "live method outside of a page": Mistake(
        f"{STAR}@live\nasync def bid(page, player):\n    return 1\n{PAGE}{ORDER}",
        "game/__init__.py:3",
        ("bid: a @live method belongs into a page",),
    ),
    "method defined twice": Mistake(
        f"{STAR}{PAGE}    @live\n    def bid(page, player): ...\n\n"
        f"    @live\n    def bid(page, player, x): ...\n{ORDER}",
        "game/__init__.py:9",
        ("Start.bid is defined twice, also on line 6",),
    ),
    "two pages with one name": Mistake(
        f'{STAR}{PAGE}\nclass Start(Page):\n    """# Again"""\n{ORDER}',
        "game/__init__.py:6",
        ("Start is defined twice, also on line 3", "rename"),
    ),
    "hook with too few parameters": Mistake(
        f"{STAR}{PAGE}    def templatevars(page):\n        return {{}}\n{ORDER}",
        "game/__init__.py:5",
        ("Start.templatevars: expected (page, player), found (page)",),
    ),
    "hook with swapped parameters": Mistake(
        f"{STAR}{PAGE}    def show(player, page):\n        return True\n{ORDER}",
        "game/__init__.py:5",
        ("expected (page, player), found (player, page)",),
    ),
    "module hook with wrong parameters": Mistake(
        f"{STAR}{PAGE}{ORDER}def new_session():\n    pass\n",
        "game/__init__.py:7",
        ("new_session: expected (session), found ()",),
    ),
    "hook that yields": Mistake(
        f"{STAR}{PAGE}    def show(page, player):\n        yield True\n{ORDER}", "game/__init__.py:5", ("write return",)
    ),
    "hook that is no function": Mistake(
        f"{STAR}{PAGE}    show = True\n{ORDER}", "game/__init__.py:5", ("def show(page, player)",)
    ),
    "async page_order": Mistake(
        f"{STAR}{PAGE}\nasync def page_order(player):\n    return [Start]\n",
        "game/__init__.py:6",
        ("cannot be async", "without async"),
    ),
    "async context": Mistake(
        f"{STAR}{PAGE}{ORDER}class Context(PlayerContext):\n    @property\n    async def total(self): ...\n",
        "game/__init__.py:9",
        ("Context.total: templates cannot await",),
    ),
    "timeout as text": Mistake(
        f'{STAR}{PAGE}    timeout = "60"\n{ORDER}', "game/__init__.py:5", ("expected seconds (a number)", "found '60'")
    ),
    "unknown tab policy": Mistake(f'{STAR}{PAGE}    tabs = "one"\n{ORDER}', "game/__init__.py:5", ('"takeover"',)),
    "type in place of a value": Mistake(
        f'{STAR}{PAGE}    title: "Welcome"\n{ORDER}', "game/__init__.py:5", ("Start.title", "write title = ...")
    ),
    "hook of the next version": Mistake(
        f"{STAR}{PAGE}    def live_vars(page, player): ...\n{ORDER}", "game/__init__.py:5", ("next version",)
    ),
    "star import hides an import": Mistake(
        f"from datetime import datetime as players\n{STAR}{PAGE}{ORDER}",
        "game/__init__.py:2",
        ("hides the 'players' of line 1", "put the star import first"),
    ),
    "mutated original": Mistake(
        f"{STAR}{PAGE}{ORDER}def new_player(player):\n    cards = [1]\n    player.cards = cards\n    cards.append(2)\n",
        "game/__init__.py:10",
        ("'cards' is changed after line 9", "change player.cards instead"),
    ),
    "syntax error": Mistake(
        f"{STAR}{PAGE}    def show(page, player)\n        return True\n{ORDER}",
        "game/__init__.py:5",
        ("SyntaxError", "def show"),
    ),
    "module that is not installed": Mistake(
        f"{STAR}import pandsa\n{PAGE}{ORDER}", "game/__init__.py:2", ("No module named 'pandsa'", "install it")
    ),
    "exception at import": Mistake(f"{STAR}x = 1 / 0\n{PAGE}{ORDER}", "game/__init__.py:2", ("ZeroDivisionError",)),
    "exit at import": Mistake(f"{STAR}raise SystemExit(1)\n{PAGE}{ORDER}", "game/__init__.py:2", ("exit()",)),
    "syntax error in a template": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:2",
        ("endblock",),
        {"Start_html": '{% extends "Base.html" %}{% block main %}\n{% endblok %}'},
    ),
    "syntax error in a docstring": Mistake(
        f'{STAR}class Start(Page):\n    """# Start\n\n    {{% if player.x %}}\n    """\n{ORDER}',
        "game/__init__.py:5",
        ("docstring of Start", "endif"),
    ),
    "template that extends an unknown one": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:1",
        ("no template 'Bsae.html'", "did you mean 'Base.html'"),
        {"Start_html": '{% extends "Bsae.html" %}{% block main %}{% endblock %}'},
    ),
    "template without a frame": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:1",
        ('add {% extends "Base.html" %}',),
        {"Start_html": "<p>Hello</p>"},
    ),
    "text outside of blocks": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:3",
        ("never shown", "{% block main %}"),
        {"Start_html": '{% extends "Base.html" %}\n\n<p>Hello</p>'},
    ),
    "unknown block": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:2",
        ("no block 'mian'", "did you mean 'main'"),
        {"Start_html": '{% extends "Base.html" %}\n{% block mian %}Hello{% endblock %}'},
    ),
    "unknown filter": Mistake(
        f"{STAR}class Start(Page): ...\n{ORDER}",
        "game/Start.html:2",
        ("No filter named 'fmtnm'",),
        {"Start_html": '{% extends "Base.html" %}{% block main %}\n{{ 1|fmtnm }}{% endblock %}'},
    ),
    "exported constant that is none": Mistake(
        f'{STAR}{PAGE}{ORDER}class C:\n    ENDOWMENT = 5\n    __export__ = ["ENDOWMNT"]\n',
        "game/__init__.py:7",
        ("C has no 'ENDOWMNT'", "did you mean 'ENDOWMENT'"),
    ),
    "declared fields under another name": Mistake(
        f"{STAR}{PAGE}{ORDER}class Plyer(PlayerFields):\n    score: int = 0\n",
        "game/__init__.py:7",
        ("declared player fields are named Player",),
    ),
    "every without seconds": Mistake(
        f"{STAR}{PAGE}{ORDER}@every\ndef tick(session): ...\n", "game/__init__.py:7", ("write @every(5)",)
    ),
    "every without session": Mistake(
        f"{STAR}{PAGE}{ORDER}@every(5)\ndef tick(): ...\n", "game/__init__.py:8", ("expected (session), found ()",)
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_author_mistake(name: str, loaded: Loaded) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(ExperimentError) as caught:
        loaded(mistake.code, **mistake.files)
    found = [problem for problem in caught.value.problems if problem.startswith(f"{mistake.where}: ")]
    assert len(found) == 1, caught.value.problems
    for text in mistake.says:
        assert text in found[0]


def test_all_problems_are_reported_together(loaded: Loaded) -> None:
    with pytest.raises(ExperimentError) as caught:
        loaded(f"{STAR}{PAGE}    templte = 1\n    def shwo(page, player): ...\n{ORDER}def new_sesion(session): ...\n")
    assert len(caught.value.problems) == 3


def test_a_correct_experiment_gives_neither_problems_nor_warnings(loaded: Loaded) -> None:
    experiment = loaded(
        f'{STAR}class Start(Page):\n    """A note."""\n\n'
        "    @live\n    async def bid(page, player, amount: int): ...\n\n"
        "    def set_payoff(page, player): ...\n\n    def show(page, player): return True\n"
        f"{ORDER}def new_session(session):\n    cards = []\n    cards.append(1)\n    session.cards = cards\n",
        Start_html=OK,
    )
    assert experiment.warnings == ()


WARNINGS = {
    "time.time": ("import time\n", "    def show(page, player):\n        return time.time() > 5\n", "time.time()"),
    "random": (
        "from random import choice\n",
        "    def show(page, player):\n        return choice([1])\n",
        "player.rng",
    ),
    "random seed": ("import random as r\n", "    def show(page, player):\n        return r.random()\n", "player.rng"),
    "sleep": ("import time\n", "    @live\n    async def bid(page, player):\n        time.sleep(1)\n", "asyncio.sleep"),
    "requests": (
        "import requests\n",
        "    @live\n    def bid(page, player):\n        requests.get('x')\n",
        "in_thread",
    ),
    "global": (
        "n = 0\n",
        "    def show(page, player):\n        global n\n        n += 1\n",
        "'n' belongs to the whole server",
    ),
    "global list": (
        "log = []\n",
        "    def show(page, player):\n        log.append(1)\n",
        "'log' belongs to the whole server",
    ),
    "attribute of the page": (
        "\n",
        "    def before_once(page, player):\n        page.count = 1\n",
        "'page.count' belongs to the whole server",
    ),
    "heapq": (
        "import heapq\n",
        "    def show(page, player):\n        heapq.heappush(player.session.book, 1)\n",
        "behind its back",
    ),
    "coroutine that nobody awaits": (
        "async def ring(session): ...\n",
        "    def show(page, player):\n        ring(player.session)\n",
        "write await ring(player.session), or spawn(ring(player.session))",
    ),
    "call of an unknown live method": (
        "\n",
        "    @live\n    def increment(page, player): ...\n",
        "did you mean increment?",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_author_warning(name: str, loaded: Loaded) -> None:
    imports, member, text = WARNINGS[name]
    if "requests" in imports:
        imports = "import types\nrequests = types.SimpleNamespace()\nif 0: import requests\n"
    heading = (
        '"""# Start\n\n    <button onclick="grimoire.invoke(\'incremnt\')">+</button>"""'
        if "call" in name
        else '"""# Start"""'
    )
    experiment = loaded(f"{STAR}{imports}class Start(Page):\n    {heading}\n{member}{ORDER}")
    assert len(experiment.warnings) == 1, experiment.warnings
    assert text in experiment.warnings[0]
    assert experiment.warnings[0].startswith("game/__init__.py:")


def test_local_names_are_no_globals(loaded: Loaded) -> None:
    code = f"{STAR}log = []\n{PAGE}    def show(page, player):\n        log = []\n"
    code += f"        log.append(1)\n        return log\n{ORDER}"
    assert loaded(code).warnings == ()


@pytest.mark.parametrize(
    ("code", "line", "says"),
    [
        (f'{STAR}class Start(Page):\n    """# Start\n\n    {{{{ sesion.n }}}}"""{ORDER}', 5, "did you mean 'session'?"),
        (f'{STAR}class Start(Page):\n    """# Start\n\n    {{{{ price }}}}"""{ORDER}', 5, "templatevars can define it"),
    ],
)
def test_a_name_that_nothing_defines_is_found_before_a_participant_is_there(
    loaded: Loaded, code: str, line: int, says: str
) -> None:
    (warning,) = loaded(code).warnings
    assert warning.startswith(f"game/__init__.py:{line}: nothing defines")
    assert says in warning


def test_names_in_templates_that_are_defined_or_asked_for_with_care_are_fine(loaded: Loaded) -> None:
    text = (
        '{% extends "Base.html" %}{% set button_next = "Go" %}{% set total = 3 %}{% block main %}{{ total }}'
        "{{ title }}{% for one in session.players %}{{ loop.index }} {{ one.name }} {{ C }}{% endfor %}{{ range(3) }}"
        "{% if wish is defined %}{{ wish }}{% endif %}{{ other | default(1) }}{{ _('text') }}{{ appstatic('a.png') }}"
        "{% macro cell(value) %}{{ value }}{% endmacro %}{{ cell(1) }}{% endblock %}"
    )
    assert loaded(f"{STAR}class Start(Page):\n    pass\n{ORDER}", Start_html=text).warnings == ()
    own = f"{STAR}class Start(Page):\n    def templatevars(page, player):\n        return {{'players': []}}\n{ORDER}"
    page = '{% extends "Base.html" %}{% block main %}{{ players }}{% endblock %}'
    assert loaded(own, Start_html=page).warnings == ()


def test_insort_and_helpers_named_like_hooks_are_fine(loaded: Loaded) -> None:
    """insort records what it inserts, as values.md says; without `page` a function of the module is no hook."""
    code = f"{STAR}from bisect import insort\n{PAGE}    def show(page, player):\n        insort(player.book, 1)\n"
    code += f"{ORDER}def show(text):\n    return text\nasync def ring(session): ...\n"
    code += "async def restart(session):\n    await ring(session)\n    spawn(ring(session))\n"
    assert loaded(code).warnings == ()


def test_an_original_that_is_changed_before_it_is_stored_is_fine(loaded: Loaded) -> None:
    loaded(
        f"{STAR}{PAGE}{ORDER}def new_player(player):\n    cards = [1]\n    cards.append(2)\n    player.cards = cards\n"
        "    cards = []\n    cards.append(3)\n"
    )
