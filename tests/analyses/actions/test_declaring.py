"""What the file says of actions: good sections are read, each bad one has one sentence, with file and line."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import crmlab
from crmlab.analyses.actions import Action, Limits, Params, declaring, readiness, run
from crmlab.analyses.actions.declaring import Apart, Assumed, Days, Goal, Order
from crmlab.analyses.actions.study import declared
from crmlab.analyses.campaigns import Holdout
from crmlab.cli import main
from crmlab.data.catalog import load
from crmlab.errors import DataError, DescriptorError
from crmlab.history.past import History
from crmlab.report import registry
from crmlab.report.inputs import fingerprint_of, inspect, with_sections
from crmlab.report.registry import readers

HEAD = 'title = "Own"\n[orders]\nfile = "orders.csv"\n'  # sections below begin in line 4
EFFECT = "effect = { rise = 0.02, low = 0.0, high = 0.04 }\n"
MAIL = f'[[action]]\nname = "mail"\nchannel = "email"\n{EFFECT}'
CALL = f'[[action]]\nname = "call"\nchannel = "phone"\n{EFFECT}'
GOOD = (
    f'[[action]]\nname = "win back"\nfor = ["state in slowing, lapsed", "orders >= 2"]\nbrings = "at_risk"\n{EFFECT}{MAIL}{CALL}'
    '[[segment_goal]]\nfor = "tier = A"\ngoal = "keep them"\ntreatment = "call"\nbudget = 100\n'
    "[limits]\ncontacts = [{ most = 1, days = 14 }, { most = 3, days = 91 }]\nchannels = { email = { most = 1, days = 28 } }\n"
    'apart = [{ first = "mail", second = "win back", days = 28 }]\nafter = [{ action = "call", earlier = "mail", days = 7 }]\n'
    'budget = 500\n[holdout]\nshare = 0.05\nsalt = "for ever and ever"\n'
)


def loaded(folder, more):
    (folder / "own.toml").write_text(HEAD + more)
    return load(str(folder / "own.toml"), readers=readers())


def test_good_sections_are_read(world, tmp_path):
    data = world(tmp_path, GOOD)
    said = declared(History(data), 0.9)
    assert said.given and [one.name for one in said.actions] == ["win back", "mail", "call"]
    assert said.actions[0].criteria == ("state in slowing, lapsed", "orders >= 2") and len(said.actions[0].where) == 2
    assert said.actions[1] == Action(name="mail", channel="email", effect=Assumed(rise=0.02, low=0.0, high=0.04))
    assert said.goals == (Goal(criteria=("tier = A",), goal="keep them", treatment="call", budget=100.0),)
    assert said.limits == Limits(
        contacts=(Days(most=1, days=14), Days(most=3, days=91)),
        channels={"email": Days(most=1, days=28)},
        apart=(Apart(first="mail", second="win back", days=28),),
        after=(Order(action="call", earlier="mail", days=7),),
        budget=500.0,
    )
    assert said.holdout == Holdout(share=0.05, salt="for ever and ever")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[service]\ncost_per_retrun = 1\n", "Did you mean 'cost_per_return'"),
        ("[service]\ncost_per_ticket = -1\n", "cost_per_ticket must be a number of at least 0"),
        ("[[service]]\ncost_per_ticket = 1\n", "service must be given as [service], once"),
        ('[[action]]\nname = "a"\n', 'line 4: the action \'a\' has no \'effect\'. Expected effect = "memory", effect = "campaign:<name>", or'),
        ('[[action]]\nname = "a"\neffect = "memroy"\n', "line 4: the action 'a' has the unknown effect 'memroy'. Did you mean 'memory'?"),
        ('[[action]]\nname = "a"\neffect = { rise = 0.1, low = 0.2, high = 0.3 }\n', "line 4: the action 'a' must have an effect whose rise lies between its low and its high. Got 0.2, 0.1, 0.3 instead."),
        ('[[action]]\nname = "a"\neffect = { rise = 0, low = -2, high = 1 }\n', "low must be a share, such as 0.02 for two more of a hundred. Got -2 instead."),
        ('[[action]]\nname = "a"\neffect = { rise = nan, low = 0.0, high = 0.1 }\n', "rise must be a share, such as 0.02 for two more of a hundred. Got nan instead."),
        ('[[action]]\nname = "a"\neffect = 0.02\n', 'line 4: [[action]] effect must be "memory", "campaign:<name>" or a table such as'),
        ('[[action]]\nname = "a"\neffect = "memory"\n', "line 4: the action 'a' takes its effect from past cells with its offer, and names no offer. Name the offer, or"),
        ('[[action]]\nname = "a"\noffr = "x"\neffect = "memory"\n', "line 4: unknown key 'offr' under [[action]]. Did you mean 'offer'?"),
        ('[[action]]\nname = "a"\neffect = "campaign:"\n', "line 4: the action 'a' names no campaign."),
        (MAIL + CALL + MAIL, "line 12: there are two actions 'mail'. Rename one."),
        (f'[[action]]\nname = "held out"\n{EFFECT}', "line 4: [[action]] name must be a text in quotes, without blanks at its ends, that is not one of the page’s own words"),
        (f'[[action]]\n{EFFECT}', "line 4: [[action]] name must be given. Got nothing instead."),
        (f'[[action]]\nname = "a"\nfor = "state of slowing"\n{EFFECT}', "line 4: The condition 'state of slowing' cannot be read."),
        (f'[[action]]\nname = "a"\nfor = ["tier = A", 3]\n{EFFECT}', "line 4: [[action]] for must be a text in quotes, or a list of them. Got ['tier = A', 3] instead."),
        (f'[[action]]\nname = "a"\ncriteria = "tier = A"\n{EFFECT}', "line 4: unknown key 'criteria' under [[action]]."),
        (f'[[action]]\nname = "a"\nbrings = "love"\n{EFFECT}', 'line 4: [[action]] brings must be "purchase" or "at_risk". Got \'love\' instead.'),
        (f'[[action]]\nname = "a"\ncapacity = -1\n{EFFECT}', "line 4: [[action]] capacity must be a whole number of at least 0. Got -1 instead."),
        (f'[[action]]\nname = "a"\ncost_per_contact = inf\n{EFFECT}', "line 4: [[action]] cost_per_contact must be a number of at least 0. Got inf instead."),
        ('[action]\nname = "a"\n', "line 4: action must be given as [[action]], once for each."),
        ('[[segment_goal]]\nfor = "tier = A"\n', "line 4: [[segment_goal]] goal must be given. Got nothing instead."),
        ('[[segment_goal]]\ngoal = "x"\n', "line 4: [[segment_goal]] for must be given. Got nothing instead."),
        ('[limits]\ncontacts = [{ most = 1, days = 0 }]\n', "line 4: [limits] days must be a number of days from 1 to 3650. Got 0 instead."),
        ('[limits]\nbudgt = 3\n', "line 4: unknown key 'budgt' under [limits]. Did you mean 'budget'?"),
        ('[limits]\nbudget = -3\n', "line 4: [limits] budget must be a number of at least 0. Got -3 instead."),
        ('[limits]\napart = [{ first = "a", second = "a", days = 3 }]\n', "line 4: apart must name two different actions. Got 'a' twice. For one, use its cooldown_days."),
        ('[limits]\nafter = [{ action = "a", earlier = "a" }]\n', "line 4: after must name two different actions. Got 'a' twice."),
        ('[[limits]]\nbudget = 3\n', "line 4: limits must be given as [limits], once."),
        ('[holdout]\nshare = 0.05\nsalt = "short"\n', "line 4: [holdout] salt must be a text of at least 8 characters. Got 'short' instead."),
        ('[holdout]\nshare = 0.05\n', "line 4: [holdout] salt must be given. Got 'nothing' instead."),
        ('[holdout]\nshare = 1\nsalt = "long enough"\n', "line 4: [holdout] share must be a number of at least 0 and under 1. Got 1 instead."),
    ],
)  # fmt: skip
def test_bad_sections_are_refused_when_the_file_is_loaded(tmp_path, more, said):
    with pytest.raises(DescriptorError) as raised:
        loaded(tmp_path, more)
    text = str(raised.value)
    assert said in text and text.startswith("own.toml")
    assert len(text.splitlines()) == 1, text


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    with pytest.raises(DescriptorError) as raised:
        loaded(tmp_path, '[[action]]\nname = "a"\n[limits]\nbudget = -1\n[holdout]\nshare = 0.1\nsalt = "short"\n')
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.proof
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (f'[[action]]\nname = "a"\nfor = "stat = new"\n{EFFECT}', r"The criteria of the action 'a', .*own.toml, line \d+: .*stat.* Did you mean 'state'\?"),
        (f'[[action]]\nname = "a"\nfor = "state = newish"\n{EFFECT}', r"The criteria of the action 'a', .*line \d+: 'newish' is no value of 'state'\. Did you mean 'new'\?"),
        (f'[[action]]\nname = "a"\nfor = "orders > many"\n{EFFECT}', r"The criteria of the action 'a', .*line \d+: .* must be a number\. Got 'many' instead"),
        ('[[action]]\nname = "a"\neffect = "campaign:spring"\n', r"There is no measured campaign 'spring' for the action 'a'"),
        ('[[action]]\nname = "a"\noffer = "gift"\neffect = "memory"\n', r"The action 'a' takes its effect from past cells with the offer 'gift'\. None was measured\. Measured offers: none\."),
        (MAIL + '[[segment_goal]]\nfor = "tier = A"\ngoal = "keep"\ntreatment = "cal"\n', r"There is no action 'cal' for the goal 'keep' under \[\[segment_goal\]\] of .*own.toml, line \d+\. "),
        (MAIL + '[[segment_goal]]\nfor = "tier = Z"\ngoal = "keep"\n', r"The criteria of the goal 'keep', .*line \d+: 'Z' is no value of 'tier'\."),
        (MAIL + '[limits]\nchannels = { emial = { most = 1, days = 3 } }\n', r"There is no channel of an action 'emial' under \[limits\] of .*own.toml, line \d+\. Did you mean 'email'\?"),
        (MAIL + '[limits]\napart = [{ first = "mail", second = "cal", days = 3 }]\n', r"There is no action 'cal' under \[limits\] of .*line \d+\. "),
        (MAIL + CALL + '[limits]\nafter = [{ action = "call", earlier = "mail" }, { action = "mail", earlier = "call" }]\n', r"own.toml, line \d+: The rules After must be free of circles\."),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_told_by_check_and_run_alike(world, tmp_path, nothing_remembered, more, said):
    # Without a margin nothing pays: it is told all the same.
    data = world(tmp_path, more, margin="")
    with pytest.raises(DataError, match=said) as raised:
        run(data, Params())
    assert readiness(History(data), Params()).why_not == str(raised.value)


@pytest.mark.proof
def test_check_tells_faults_of_the_file_and_of_names(world, tmp_path, nothing_remembered):
    data = world(tmp_path, MAIL + "[limits]\nbudget = 5\n")
    path = tmp_path / "own.toml"
    assert data.descriptor.sections["limits"].content == {"budget": 5}
    path.write_text(path.read_text().replace("budget = 5", "budget = -5"))
    done = CliRunner().invoke(main, ["check", str(path)])
    assert done.exit_code == 2 and "[limits] budget must be a number of at least 0. Got -5 instead." in done.output
    assert "Traceback" not in done.output
    path.write_text(path.read_text().replace("budget = -5", 'apart = [{ first = "mail", second = "cal", days = 3 }]'))
    done = CliRunner().invoke(main, ["check", str(path)])
    assert "There is no action 'cal' under [limits]" in " ".join(done.output.split())
    assert done.output.splitlines()[-1].startswith("1 open question: correct own.toml")
    path.write_text(path.read_text().replace('"cal"', '"mail"').replace("apart", "# apart"))
    assert "No problems." in CliRunner().invoke(main, ["check", str(path)]).output.splitlines()[-1]


SHOWING = {"actions", "customer_profile", "scorecard"}  # reports that show decisions


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("budget = 500", "budget = 501", SHOWING),
        ("share = 0.05", "share = 0.06", {*SHOWING, "campaign_design"}),  # the universal control is that of campaigns, too
        ("rise = 0.02", "rise = 0.03", SHOWING),
        ('"keep them"', '"keep"', SHOWING),
    ],
)
def test_a_change_of_a_section_makes_those_again_that_read_it(world, tmp_path, nothing_remembered, old, new, made):
    world(tmp_path, GOOD)
    path = tmp_path / "own.toml"

    def keys():
        inputs = inspect(str(path))
        return {
            name: fingerprint_of(with_sections(inputs.fingerprint, registry.analysis(name), inputs.descriptor), [])
            for name in registry.REPORTS
        }

    before = keys()
    path.write_text(path.read_text().replace(old, new, 1))
    assert {name for name, key in keys().items() if key != before[name]} == made


def test_every_section_is_named_with_its_reader():
    assert set(declaring.__all__) >= {function for face, function in registry.SECTIONS.values() if face.endswith("actions")}
    assert crmlab.analyses.actions.SECTIONS == ("action", "segment_goal", "limits", "holdout", "service")
