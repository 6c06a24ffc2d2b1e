"""`smartcharge pause` and `smartcharge resume`."""

import click

from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import parse_time, run_job
from smartcharge.formatting import local_date_time
from smartcharge.jobs.reconcile import decide_and_apply
from smartcharge.store.control import clear_pause_and_override, load_battery_memory, load_state, save_pause
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal


@click.command("pause")
@click.option("--until", metavar="TIME", help="End the pause at this time; default: when you run `resume`.")
@click.pass_obj
def pause_command(session: CliContext, *, until: str | None) -> int:
    """Pause: the Powerwall returns to normal first."""

    def run(app: App) -> None:
        end = parse_time(until, app, ahead=True) if until else None
        if end is not None and end <= app.now:
            raise click.UsageError(f"--until {until} is in the past")
        with app.exclusive_lock():
            until_when = (
                f"until {local_date_time(end, app.now, app.policy.cheap_period.zone)}" if end else "until you resume it"
            )
            with transaction(app.db):
                save_pause(app.db, app.now, end)
                append_journal(app.db, at=app.now, command="pause", outcome=Event.PAUSED, detail=EventDetail(until=end))
            decide_and_apply(app)
        app.say(f"Paused {until_when}. `smartcharge resume` ends the pause.")
        if load_battery_memory(app.db).owned:
            app.warn("The Powerwall is not back to normal yet. smartcharge tries again every minute.")

    return run_job(session, run, interactive=True)


@click.command("resume")
@click.pass_obj
def resume_command(session: CliContext) -> int:
    """End a pause, or take over again after you set the Powerwall."""

    def run(app: App) -> None:
        with app.exclusive_lock():
            state = load_state(app.db, app.now, app.policy)
            was_stopped = state.is_paused or state.manual_override_until is not None
            with transaction(app.db):
                clear_pause_and_override(app.db)
                if was_stopped:
                    append_journal(app.db, at=app.now, command="resume", outcome=Event.RESUMED)
        app.say("Resumed." if was_stopped else "Nothing was paused.")

    return run_job(session, run, interactive=True)
