"""One conversation with the supplier: its answer is held against what is remembered, and kept."""

from datetime import timedelta

from smartcharge import budget, episodes, wiring
from smartcharge.act import foresight, invites
from smartcharge.act.plan_due import KRAKEN
from smartcharge.act.words import span
from smartcharge.core.answers import Dispatch, Plan
from smartcharge.core.dispatches import Changes, Remembered, reconcile
from smartcharge.core.politeness import plan_retry
from smartcharge.errors import ConfigurationRefused, SignInRefused, Throttled, Trouble, Unreachable
from smartcharge.store import dispatches, fetches, journal, owner, pruning, services, situation, transaction
from smartcharge.toolbox import Toolbox

COMMAND = "fetch-dispatches"
DEVICE = "device"


def fetch(tools: Toolbox) -> None:
    """One conversation within Kraken's share of the budget; a part that failed leaves what was known of it."""
    try:
        with budget.share(budget.KRAKEN_SECONDS):
            plan = tools.tariff.plan([row.device for row in fetches.devices(tools.db) if row.watched], tools.now)
    except budget.OutOfTime:
        _failed(tools, Unreachable("Kraken took too long to answer", service=KRAKEN))
    except Trouble as trouble:
        _failed(tools, trouble)
    else:
        _keep(tools, plan)


def _keep(tools: Toolbox, plan: Plan) -> None:
    db, based_on = tools.db, foresight.basis(tools)
    with transaction(db):
        lines = _remember(tools, plan)
        if lines or plan.remarks:
            _note_once(tools, "changed" if lines else "remarked", "; ".join((*lines, *plan.remarks)))
        if tools.policy.cheap_period.holding(tools.now):
            pruning.prune(tools.db, tools.now - timedelta(days=tools.config.database.keep_days))
        foresight.renew(tools, based_on)
    for line in lines:
        tools.say(line)
    for remark in plan.remarks:
        tools.detail(f"{COMMAND}: {remark}")
    if plan.trouble:
        _failed(tools, Unreachable(plan.trouble, service=KRAKEN))
    else:
        _succeeded(tools)


def _remember(tools: Toolbox, plan: Plan) -> list[str]:
    """Store what was answered; what changed in the plan, in words. The caller has opened the transaction."""
    lines: list[str] = []
    if plan.devices is not None:
        fetches.record_devices(tools.db, plan.devices)
    for device, answer in plan.planned.items():
        fetches.record_answer(
            tools.db,
            device,
            tools.now,
            ok=answer is not None,
            error=plan.trouble,
            requests=tools.sent.pop(KRAKEN, 0),
        )
        if answer is not None:
            lines += _reconcile(tools, device, answer)
    if plan.completed:
        dispatches.record_completed(tools.db, plan.completed, tools.now)
    if not plan.planned:
        services.asked(tools.db, KRAKEN, tools.now)
    if lines:
        _move_stand_down(tools)
        invites.intend(tools)
    return lines


def _move_stand_down(tools: Toolbox) -> None:
    """A window that was left to somebody else takes the stand-down along when it moves."""
    seen = situation.load(tools.db, tools.now, tools.policy)
    if seen.stand_down and seen.stood_down_until:
        owner.stand_down(tools.db, seen.stand_down.at, seen.stood_down_until)


def _note_once(tools: Toolbox, outcome: str, detail: str) -> None:
    last = journal.last(tools.db, COMMAND)
    if last is None or (last.outcome, last.detail) != (outcome, detail):
        journal.append(tools.db, at=tools.now, command=COMMAND, outcome=outcome, detail=detail)


def _reconcile(tools: Toolbox, device: str, answer: tuple[Dispatch, ...]) -> list[str]:
    remembered = dispatches.remembered(tools.db, device, tools.now)
    changes = reconcile(remembered, answer, tools.now)
    if not changes:
        return []
    dispatches.apply(tools.db, device, changes, tools.now)
    return _told(changes, {row.id: row for row in remembered}, tools.policy.cheap_period.zone)


def _told(changes: Changes, known: dict[int, Remembered], zone: str) -> list[str]:
    """The changes of one answer in the owner's words, one line each; one that was only missing was never told."""

    def words(row: int) -> str:
        return span(known[row].starts_at, known[row].ends_at, zone)

    heirs = {heir for _, heir in changes.superseded}
    fresh = [d for d in changes.new if (d.starts_at, d.ends_at) not in heirs]
    return [
        *(f"planned: {span(d.starts_at, d.ends_at, zone)}{_about(d.energy_kwh)}" for d in fresh),
        *(f"moved: {words(row)} is now {span(*heir, zone)}" for row, heir in changes.superseded),
        *(f"planned again: {words(row)}" for row in changes.back if known[row].withdrawn_at),
        *(f"withdrawn: {words(row)}" for row in changes.withdrawn),
    ]


def _about(energy_kwh: float | None) -> str:
    return f", about {energy_kwh:.1f} kWh" if energy_kwh else ""


def _succeeded(tools: Toolbox) -> None:
    row = services.service(tools.db, KRAKEN)
    if row.failures or row.refused_for:
        with transaction(tools.db):
            services.succeeded(tools.db, KRAKEN, tools.now)
    episodes.went_well(tools, COMMAND, KRAKEN)
    episodes.went_well(tools, COMMAND, DEVICE)


def _failed(tools: Toolbox, trouble: Trouble) -> None:
    throttled = isinstance(trouble, Throttled)
    row = services.service(tools.db, KRAKEN)
    retry_after = trouble.retry_after if isinstance(trouble, Throttled) else None
    not_before = plan_retry(tools.now, row.failures + 1, throttled=throttled, retry_after=retry_after)
    with transaction(tools.db):
        if isinstance(trouble, SignInRefused):
            services.refused(tools.db, KRAKEN, tools.now, wiring.kraken_fingerprint(tools.config), str(trouble))
        else:
            services.failed(tools.db, KRAKEN, tools.now, str(trouble), not_before)
    kind = DEVICE if isinstance(trouble, ConfigurationRefused) else KRAKEN
    episodes.failed(tools, COMMAND, kind, trouble)
