"""What a reasoning claims that the vehicle does: a small grammar of driving English, and silence where it ends.

Alpamayo's sentences are decisions with their causes: "Nudge left to keep clear of the parked truck on the right while
following the lead vehicle", "Stop since the light is red". Only what is decided counts, so causes and purposes
("since ...", "to ...", "for ...") are passed over; verbs are read where a decision has them: at the beginning of a
clause, after "and", "then", "while", or after "the ego vehicle should". What is denied or only held ready ("without
stopping", "be prepared to stop") claims nothing. A verb that is not known makes the reading incomplete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alpamayo_ros.contract import Plan
from alpamayo_ros.guard import Action, Agreement, Claim, Verdict, motion_of, verdict

HOLD, FOLLOW = Claim(Action.HOLD), Claim(Action.HOLD, follows=True)
GO, FASTER = Claim(Action.GO), Claim(Action.GO, faster=True)
SLOW, STOP, YIELD = Claim(Action.SLOW), Claim(Action.STOP), Claim(Action.SLOW, follows=True)


@dataclass(frozen=True)
class Reading:
    """A text's claims, and whether every decision in it was understood."""

    claims: tuple[Claim, ...]
    complete: bool


_SIDE = r"(?:\w+ ){0,3}?(?:to |towards |into )?(?:the |its |your )?(?:\w+ ){0,1}?(left|right)\b"
# In this order; (verb and what belongs to it) -> claim, or the pair of claims for left and right.
_PATTERNS: tuple[tuple[re.Pattern, Claim | tuple[Claim, Claim]], ...] = tuple(
    (re.compile(pattern), claim)
    for pattern, claim in (
        (rf"(?:turn|turning|turns|make a|making a|take a|taking a) {_SIDE}(?: turn)?",
         (Claim(Action.TURN_LEFT), Claim(Action.TURN_RIGHT))),
        (rf"(?:nudge|nudging|nudges|shift|shifting|swerve|swerving|steer|steering|veer|veering|edge|edging) {_SIDE}",
         (Claim(Action.SHIFT_LEFT), Claim(Action.SHIFT_RIGHT))),
        (rf"(?:move|moving|merge|merging|pull|pulling|bear|bearing) (?:over )?{_SIDE}",
         (Claim(Action.SHIFT_LEFT), Claim(Action.SHIFT_RIGHT))),
        (rf"(?:change|changing|switch|switching) lanes? {_SIDE}",
         (Claim(Action.SHIFT_LEFT), Claim(Action.SHIFT_RIGHT))),
        (r"(?:stop|stopping|stops|halt|halting)\b(?! sign| line)", STOP),
        (r"(?:com(?:e|es|ing)|brak(?:e|es|ing)|decelerat(?:e|es|ing)|slow(?:s|ing)?(?: down)?)(?: \w+)? to (?:a |an )"
         r"(?:\w+ )?(?:stop|halt|standstill)\b", STOP),
        (r"(?:remain|remaining|stay|staying|keep|wait while|hold) (?:fully |completely )?(?:stopped|stationary|still"
         r"|at a standstill)\b", STOP),
        (r"(?:wait|waiting)\b", STOP),
        (r"(?:yield|yielding|give way|giving way|make room|making room|make way|making way)\b", YIELD),
        (r"(?:slow|slowing|slows)\b", SLOW),
        (r"(?:decelerate|decelerating|decelerates|brake|braking|brakes)\b", SLOW),
        (r"(?:reduce|reducing|lower|lowering|decrease|decreasing) (?:the |its |your )?(?:vehicle )?speed\b", SLOW),
        (r"(?:speed|speeding) up\b", FASTER),
        (r"(?:accelerate|accelerating|accelerates)\b", FASTER),
        (r"(?:increase|increasing|pick up|picking up|gain|gaining) (?:the |its )?speed\b", FASTER),
        (r"(?:follow|following|follows)\b(?! distance)", FOLLOW),
        (r"(?:keep|keeping|maintain|maintaining|keeps|maintains|increase|increasing|leave|leaving|adjust|adjusting)"
         r" (?:an? |the |its |your )?(?:\w+ ){0,2}?(?:distance|gap|headway|following distance)\b", FOLLOW),
        (r"(?:adapt|adapting|adapts|adjust|adjusting|adjusts|match|matching|control|controlling|regulate)"
         r" (?:the |its |your )?(?:vehicle )?speed\b", FOLLOW),
        (r"(?:go|going|continue|continuing|proceed|proceeding|drive|driving|head|heading) (?:straight|ahead|forward)\b",
         HOLD),
        (r"(?:keep|keeping|keeps|stay|staying|stays|maintain|maintaining|maintains|hold|continue|continuing)"
         r" (?:in |within |at |with |along )?(?:the |its |your )?(?:current |same |present |steady |constant |safe )*"
         r"(?:lane|speed|course|path|heading|position)\b", HOLD),
        (r"(?:cruise|cruising|lane keeping|lane following)\b", HOLD),
        (r"(?:go|going|proceed|proceeding|resume|resuming|start|starting|move off|depart)\b", GO),
    )
)  # fmt: skip
_SENTENCES = re.compile(r"[.;:!?\n]+")
# Behind these a clause says why, what for, where or of whom, up to its comma or its end.
_ASIDE = re.compile(
    r"\b(?:since|because|as|due|so|given|when|where|if|after|until|unless|before|which|who|that|instead|rather|for|from"
    r"|behind|at|near|ahead|around|past|through|toward|towards|with|without|in|on|into|under|along|during|to)\b.*"
)
_NEW_HEAD = re.compile(r"\band\b|\bthen\b|\bwhile\b|\bbut\b")
# Up to the comma, what follows one of these is all cause: "since it is slowing and stopping".
_CAUSE = re.compile(r"\b(?:since|because|as|due|given|when|where|if|after|until|unless|before)\b")
_SUBJECT = re.compile(
    r"^(?:the |our )?(?:(?:ego(?: vehicle| car)?|i|we|autonomous vehicle)\s+"
    r"(?:should|must|will|shall|needs? to|has to|have to|is going to|can|is|am|are)?"
    r"|(?:vehicle|car) (?:should|must|needs? to|has to))\s*"
)
_OTHERS = re.compile(r"^(?:the|an?|there|another|other|some|two|three|traffic|no)\b")
_ADVERBS = re.compile(
    r"^(?:(?:now|then|also|first|please|just|still|therefore|thus|hence|\w+ly|continue to|continuing to"
    r"|continue(?= \w+ing)|begin to"
    r"|beginning to|start to|starting to|keep on)\s+)+"
)
_READY = re.compile(r"^(?:be |is |being |stay |remain )?(?:ready|prepared?|preparing|cautious|careful|alert|aware)\b")
_DENIED = re.compile(r"^(?:do not|don t|does not|not|never|no need|avoid|avoiding|without|may|might|could)\b")


def read(text: str) -> Reading:
    """The claims of a reasoning, each once; none where nothing in it is understood."""
    claims: list[Claim] = []
    complete, seen = True, False
    for sentence in _SENTENCES.split(text.lower()):
        for head in _heads(sentence):
            seen = True
            found = _claim(head)
            if found is None:
                complete = False
            elif found not in claims:
                claims.append(found)
    stops = STOP in claims and any(claim.action is Action.GO for claim in claims)
    sides = all(
        {one, other}.isdisjoint({claim.action for claim in claims})
        or not {one, other} <= {claim.action for claim in claims}
        for one, other in ((Action.TURN_LEFT, Action.TURN_RIGHT), (Action.SHIFT_LEFT, Action.SHIFT_RIGHT))
    )
    if stops or not sides:  # first one, then the other: in what order and when is beyond this grammar
        return Reading((), False)
    return Reading(tuple(claims), complete and seen)


def judge(plan: Plan, sample: int) -> Verdict:
    """One sample's text against its path, no route being known."""
    said = read(plan.reasoning[sample])
    return verdict(said.claims, motion_of(plan, sample), said.complete)


def most_consistent(plan: Plan) -> int:
    """The first sample that agrees with its text; where there is none, the first of which that is not known."""
    verdicts = [judge(plan, sample).agreement for sample in range(len(plan.reasoning))]
    for wanted in (Agreement.CONSISTENT, Agreement.UNKNOWN):
        if wanted in verdicts:
            return verdicts.index(wanted)
    return 0


def _heads(sentence: str) -> list[str]:
    """The pieces of a sentence that may begin with a decision's verb: words, one space between them."""
    heads: list[str] = []
    for part in sentence.split(","):
        for piece in _NEW_HEAD.split(part):
            words = " ".join(re.findall(r"[a-z0-9]+", piece))
            stripped = _SUBJECT.sub("", words)
            told = stripped != words
            head = _ADVERBS.sub("", stripped)
            # A description, a cause that comes first, or, behind the first piece, a mere noun ("... and the cones").
            described = not told and (_OTHERS.match(words) or _ASIDE.match(words) or (heads and not _verb(head)))
            if words and not described:
                heads.append(head)
            if _CAUSE.search(words):
                break
    return heads


def _verb(words: str) -> bool:
    return any(pattern.match(words) for pattern, _ in _PATTERNS)


def _claim(head: str) -> Claim | None:
    if _READY.match(head) or _DENIED.match(head):
        return None
    for pattern, claim in _PATTERNS:
        found = pattern.match(head)
        if found is None:
            continue
        if isinstance(claim, tuple):
            return claim[0] if found.group(1) == "left" else claim[1]
        return claim
    return None
