"""What must hold of the toy after every blow, and at the end of every way on: each function says what is wrong."""

from __future__ import annotations

import re

from ops.core.errors import FAILED, INTERRUPTED, REFUSED
from ops.engine.plan import PlannedStep
from tests.faults.places import Place
from tests.support.done import Done
from tests.support.toy import FIRST, FROZEN, INPUTS, made_by, said_to
from tests.support.toy_lab import FINAL, KILLED, PLAN, STEPS, Lab
from tests.support.toy_session import DISK, HALVES, SAID, Blow, Said, Things

# What a person never reads, whatever happens.
NEVER = ("Traceback", "an internal error", "fault.txt", "(details:")
# What is said instead where the answer of a check was asked for, and not got.
REFUSALS = ("can't be undone", "repeating it is not safe")
PROOFS = {planned.proof.check.name for planned in PLAN.steps if planned.proof}
STAYS = {name for planned in PLAN.steps if planned.step.stays for name in made_by(planned)}
ONCE = {name for planned in PLAN.steps if not planned.step.again for name in made_by(planned)}


def wanted(place: Place, fault: str, *, back: bool) -> set[int]:
    """The exit codes to which a fault at a place may lead."""
    if fault in ("kill", "int"):
        return {KILLED} if fault == "kill" else {INTERRUPTED}
    if fault == "unlocked":
        return {FAILED} if _begins_after(place, back=back) else {0}
    if place.role == "journal-outcome":
        return {0}
    return {_of_command(place, fault, back=back)}


def _of_command(place: Place, fault: str, *, back: bool) -> int:
    planned, said_no = STEPS.get(place.step), fault in ("exit", "lock")
    if place.step == FIRST:
        return REFUSED if said_no else FAILED
    if planned is None or fault in DISK:
        return FAILED
    if back and planned.proof and place.role == planned.proof.check.name:
        return 0 if said_no or not _begins_after(place, back=True) else FAILED
    if fault == "lock" and place.role == "do" and planned.step.retries(planned.inputs):
        return 0
    return REFUSED if said_no and place.role in {gate.check.name for gate in planned.gates} else FAILED


def _begins_after(place: Place, *, back: bool) -> bool:
    """Whether the run lock is looked at once more after a command."""
    if back:
        return place.step != next(planned.name for planned in PLAN.steps if planned.undo)
    last = PLAN.steps[-1]
    return place.step != last.name or place.role in {gate.check.name for gate in last.gates}


def look(lab: Lab, done: Done, blow: Blow, codes: set[int]) -> list[str]:
    """What is wrong right after a blow: the exit code, the text, the things, and what ``inv status`` says."""
    assert blow.dealt
    wrong = [] if done.code in codes else [f"exit code {done.code}, not one of {codes}"]
    wrong += [f"{word!r} was said" for word in NEVER if word in done.out]
    if done.code not in (0, KILLED):
        wrong += _said(lab, done.out, blow)
    wrong += whole(lab, done.out if blow.fault != "kill" else None) + _status(lab)
    if done.code == KILLED and not _early(blow.dealt) and blow.dealt.role != "journal-outcome" and _ended(lab):
        wrong.append("it was killed, and is said to have ended")
    return [f"{line}\n{done.out}" for line in wrong]


def _ended(lab: Lab) -> bool:
    state = lab.state()
    return state is not None and state.outcome is not None


def _early(place: Place) -> bool:
    """Whether the run is not on yet: its first line is written, or it is asked whether it may be undone at all."""
    first_line = place.step == "run" and place.role in ("journal-run", "journal-undoing")
    return first_line or (place.step == FIRST and place.index == 0)


def _said(lab: Lab, text: str, blow: Blow) -> list[str]:
    """What is wrong with the text of a run that did not end well."""
    assert blow.dealt
    early, changed = _early(blow.dealt), bool(lab.things.there)
    ends = re.split(r"^(?=(?:FAILED|REFUSED|INTERRUPTED)  \S)", text, flags=re.M)
    wrong = [] if len(ends) == 2 and (early or "  shop: " in ends[-1][:20]) else ["no outcome, or two"]
    if not re.search(r"^State: \S", ends[-1], re.M) and not early:
        wrong.append("not said what stands")
    if changed and "nothing was changed" in text:
        wrong.append("said that nothing was changed")
    if not re.search(r"^Try: (?:.*\n +)*?.*inv ", ends[-1], re.M) and (changed or not early):
        wrong.append("not said what to type")
    wrong += [] if early else _explained(lab, ends[-1], blow.fault)
    words = [SAID[blow.fault], *REFUSALS]
    if blow.dealt.role in PROOFS and blow.dealt.step != FIRST and not text.startswith("shop: Toy"):
        # Where a run goes on, or is taken back, a proof that can't be asked is as good as a no; but the lock is lost.
        words.append(SAID["unlocked"])
    wrong += [] if any(word in text for word in words) else [f"not said: {words[0]}"]
    named = blow.fault not in DISK or not blow.dealt.role.startswith("journal-") or "journal.jsonl: " in text
    return wrong if named else [*wrong, "not said which file"]


def _explained(lab: Lab, text: str, fault: str) -> list[str]:
    """What is wrong with the way on: the final step's own words come first, then what is to be done about the disk."""
    state = lab.state()
    if state and FINAL.name in state.touched and FINAL.step.explain:
        stands = "production is migrated" if made_by(FINAL) & lab.things.there.keys() else "nothing is migrated"
        asked = fault != "down" and all(blow.at.role != "explain" for blow in lab.blows)
        return [] if stands in text or not asked else [f"not explained: {stands}"]
    wanted = {"full": "free disk space", "readonly": "make the store writable"}.get(fault, "")
    return [] if wanted in text else [f"not said: {wanted}"]


def whole(lab: Lab, said: str | None = "") -> list[str]:
    """What is wrong with the things: some are made twice, users are shut out. ``said`` is None after a kill -9."""
    things = lab.things
    wrong = [f"{name} was made {n} times" for (name, _), n in things.made.items() if name in ONCE and n > 1]
    if said is not None and "closed" in things.there and "may be CLOSED to its users" not in said:
        wrong.append("production is closed, and nobody says so")
    return wrong + things.wrong


def _status(lab: Lab) -> list[str]:
    """What is wrong with what ``inv status`` says."""
    if (state := lab.state()) is None:
        return []
    text = lab.status(state)
    wrong = [] if f"run {INPUTS.run}" in text and re.search(r"^  state:   \S", text, re.M) else ["not what stands"]
    if not state.finished and not re.search(r"^  Try: (?:.*\n {7,})*?.*inv ", text, re.M):
        wrong.append("not what to type")
    if not state.finished and not re.search("outcome: (interrupted|failed|refused)", text):
        wrong.append("not how it ended")
    if "frozen" in lab.things.there and FROZEN not in text and "let production take writes" not in text.lower():
        wrong.append("not that production is frozen")
    return [f"status says {line}\n{text}" for line in wrong]


# --- the ways on -----------------------------------------------------------------------------------------------------


def over(lab: Lab, end: Things) -> list[str]:
    """What is wrong at the end, where all must be as if nothing had happened."""
    state, found = lab.state(), lab.things.there
    wrong = [] if found == end.there else [f"at the end there is {found}, not {end.there}"]
    return wrong + whole(lab) + ([] if state and state.finished else ["the run is not done"])


def as_before(lab: Lab) -> list[str]:
    """What is wrong after an undo, where all must be as at the start, but for what stays."""
    left = sorted(lab.things.there.keys() - STAYS)
    return whole(lab) + ([f"undone, and there is still {left}"] if left else [])


def resumed(lab: Lab, end: Things) -> list[str]:
    """Resume: it comes to its end, or is refused where going on is not safe, and taken back as it says."""
    state = lab.state()
    if state and state.undone:
        return as_before(lab)
    done = lab.again("resume")
    if done.code == 0:
        noted = not state or b'\n{"event": "resumed"' in lab.written()
        return over(lab, end) + ([] if noted else ["it is not noted that it was resumed"])
    thawed = "no longer true" in done.out and lab.things.there.get("frozen") != set(HALVES)
    if done.code != REFUSED or not (thawed or _unsafe(lab)):
        return [f"resume ends with {done.code}\n{done.out}"]
    if not re.search(r"^Try: (?:.*\n +)*?.*inv undo --run=r1", done.out, re.M):
        return [f"resume is refused, and undo not named\n{done.out}"]
    return taken_back(lab, end)


def _unsafe(lab: Lab) -> bool:
    """Whether the step in which the run stopped must not be done twice."""
    state = lab.state()
    stopped = state.names("begun", "failed", "undoing") if state else []
    return bool(stopped) and not STEPS[stopped[-1]].step.again


def taken_back(lab: Lab, end: Things) -> list[str]:
    """Undo: all is as it was but for what stays; or a final step has left its trace, and resume leads to the end."""
    state, before = lab.state(), lab.things.copy().there
    if state is None or state.undone:
        return as_before(lab)
    done, trace = lab.again("undo"), bool(made_by(FINAL) & before.keys())
    if done.code == 0:
        return as_before(lab) + ([f"undone after a final step\n{done.out}"] if trace else [])
    if "nothing to undo" in done.out:
        undoes = [name for name in state.touched if STEPS[name].undo]
        return as_before(lab) + ([f"not taken back: {undoes}\n{done.out}"] if undoes else [])
    if not trace or "can't be undone" not in done.out or not re.search(r"^Try: (?:.*\n +)*?.*inv ", done.out, re.M):
        return [f"undo ends with {done.code}\n{done.out}"]
    if lab.things.there != before:
        return ["a refused undo has changed something"]
    if state.finished:
        return over(lab, end)
    on = lab.again("resume")
    return over(lab, end) if on.code == 0 else [f"after a refused undo, resume ends with {on.code}\n{on.out}"]


WAYS = {"resume": resumed, "undo": taken_back}


def known(lab: Lab) -> str:
    """All on which a way on depends: what the journal says, whether its last line is whole, what is there."""
    state, things, last = lab.state(), lab.things, lab.written().endswith(b"\n")
    noted = [state.status, sorted(state.touched), state.facts, state.finished, state.undone] if state else []
    there = sorted((name, sorted(halves)) for name, halves in things.there.items())
    return repr((noted, last, there, sorted(things.made.items()), things.number, things.wrong))


def forgotten(lab: Lab) -> list[str]:
    """The steps that the journal calls done, and that an undo has begun to take back."""
    state = lab.state()
    done = [STEPS[name] for name in state.names("done")] if state else []
    return [planned.name for planned in done if planned.undo and not _holds(lab.things, planned)]


def _holds(things: Things, planned: PlannedStep) -> bool:
    try:
        for command in planned.proof.commands if planned.proof else ():
            things.half(*said_to(command), 2)
    except Said:
        return False
    return True
