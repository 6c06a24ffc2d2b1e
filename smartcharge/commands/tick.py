"""`smartcharge tick`: everything a minute asks for, in one process."""

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
    """Do all four of the above in one run."""
    return run_job(session, run_tick, dry_run=dry_run, at=at)


@click.command("reconcile")
@dry_run_option
@at_option
@click.pass_obj
def reconcile_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Bring the Powerwall to the stance the policy wants."""
    return run_job(session, run_reconcile, dry_run=dry_run, at=at)


@click.command("midnight-reset")
@dry_run_option
@at_option
@click.pass_obj
def midnight_reset_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Assert the resting stance, once per cheap period."""
    return run_job(session, run_midnight_reset, dry_run=dry_run, at=at)


@click.command("send-invites")
@dry_run_option
@at_option
@click.pass_obj
def send_invites_command(session: CliContext, *, dry_run: bool, at: str | None) -> int:
    """Post the calendar invites that wait in the outbox."""
    return run_job(session, run_send_invites, dry_run=dry_run, at=at)


@click.command("fetch-dispatches")
@click.option("--now", "at_once", is_flag=True, help="Ask even if no answer is due.")
@dry_run_option
@at_option
@click.pass_obj
def fetch_dispatches_command(session: CliContext, *, at_once: bool, dry_run: bool, at: str | None) -> int:
    """Ask Kraken for the plan, if an answer is due."""
    return run_job(session, partial(fetch_plan_if_due, at_once=at_once), dry_run=dry_run, at=at)
