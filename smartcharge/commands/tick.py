"""`smartcharge tick` and the four commands that it runs."""

from functools import partial

import click

from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, dry_run_option, run_job
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.invites import run_send_invites
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import run_reconcile
from smartcharge.jobs.tick import run_tick


@click.command("tick")
@dry_run_option
@at_option
@click.pass_obj
def tick_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Run the four commands that cron needs, one after the other."""
    return run_job(session, run_tick, dry_run=dry_run, at=at)


@click.command("reconcile")
@dry_run_option
@at_option
@click.pass_obj
def reconcile_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Set the Powerwall to what it should be doing now."""
    return run_job(session, run_reconcile, dry_run=dry_run, at=at)


@click.command("midnight-reset")
@dry_run_option
@at_option
@click.pass_obj
def midnight_reset_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Return the Powerwall to normal once a night."""
    return run_job(session, run_midnight_reset, dry_run=dry_run, at=at)


@click.command("send-invites")
@dry_run_option
@at_option
@click.pass_obj
def send_invites_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Send the calendar invites that are waiting."""
    return run_job(session, run_send_invites, dry_run=dry_run, at=at)


@click.command("fetch-dispatches")
@click.option("--now", "at_once", is_flag=True, help="Fetch it now, even if it is not time yet.")
@dry_run_option
@at_option
@click.pass_obj
def fetch_dispatches_command(session: CliContext, *, at_once: bool, dry_run: bool, at: str | None) -> int:
    """Fetch the supplier's charging schedule, if it is time."""
    return run_job(session, partial(fetch_plan_if_due, at_once=at_once), dry_run=dry_run, at=at)
