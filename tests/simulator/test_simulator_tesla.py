"""Tesla's cloud as the unmodified pypowerwall meets it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from pypowerwall import Powerwall

from smartcharge.simulator.simulator import Simulator


@pytest.fixture
def folder(simulator: Simulator, tmp_path: Path) -> Path:
    return simulator.write_tesla_tokens(tmp_path).parent


def connect(simulator: Simulator, folder: Path) -> Powerwall:
    return Powerwall(
        "",
        email=simulator.house.tesla_email,
        cloudmode=True,
        siteid=simulator.house.site_id,
        authpath=str(folder),
        failover=False,
        timeout=30,
    )


def statuses(simulator: Simulator, operation: str) -> list[int]:
    return [each.status for each in simulator.requests if each.operation == operation]


def settings(powerwall: Powerwall) -> tuple[str | None, float | None]:
    return powerwall.get_mode(force=True), powerwall.get_reserve(force=True)


def test_settings_are_read_and_written(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    before = settings(powerwall)
    powerwall.set_mode("backup")
    powerwall.set_reserve(100)

    assert before == ("autonomous", 20)
    assert settings(powerwall) == ("backup", 100)
    assert [(each.kind, each.value) for each in simulator.powerwall.writes] == [("mode", "backup"), ("reserve", 100)]


def test_the_owner_s_hand_shows_at_once(simulator: Simulator, folder: Path) -> None:
    simulator.powerwall.set_manually(mode="self_consumption", reserve_pct=35)

    assert settings(connect(simulator, folder)) == ("self_consumption", 35)
    assert simulator.powerwall.writes == []


def test_the_library_renews_an_expired_token_and_keeps_its_successor(simulator: Simulator, folder: Path) -> None:
    before = json.loads((folder / ".pypowerwall.auth").read_text())
    simulator.set_time(simulator.now + timedelta(hours=8))

    assert connect(simulator, folder).is_connected()
    after = json.loads((folder / ".pypowerwall.auth").read_text())
    email = simulator.house.tesla_email
    assert after[email]["sso"]["refresh_token"] != before[email]["sso"]["refresh_token"]
    assert simulator.count("tesla-auth") == 1


def test_a_spent_refresh_token_means_a_new_sign_in(simulator: Simulator, folder: Path) -> None:
    old = (folder / ".pypowerwall.auth").read_text()
    simulator.set_time(simulator.now + timedelta(hours=8))
    connect(simulator, folder)
    (folder / ".pypowerwall.auth").write_text(old)
    simulator.set_time(simulator.now + timedelta(hours=8))

    assert not connect(simulator, folder).is_connected()
    assert 401 in statuses(simulator, "refresh_token")


def test_the_token_file_is_its_owner_s_alone(folder: Path) -> None:
    assert (folder / ".pypowerwall.auth").stat().st_mode & 0o777 == 0o600


def post(simulator: Simulator, command: str, **body: object) -> int:
    token = simulator.tesla_auth.issue(simulator.now)["access_token"]
    url = f"https://owner-api.teslamotors.com/api/1/energy_sites/{simulator.house.site_id}/{command}"
    return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code


def test_what_tesla_cannot_mean_it_refuses(simulator: Simulator) -> None:
    assert post(simulator, "operation", default_real_mode="TIME_BASED_CONTROL") == 400
    assert post(simulator, "backup", backup_reserve_percent="20") == 400
    assert post(simulator, "backup", backup_reserve_percent=99.5) == 400
    assert post(simulator, "backup", backup_reserve_percent=101) == 500
    assert post(simulator, "wall_connector") == 404
    assert simulator.powerwall.writes == []


def test_a_reserve_from_81_to_99_becomes_80(simulator: Simulator) -> None:
    assert post(simulator, "backup", backup_reserve_percent=90) == 200
    assert simulator.powerwall.reserve_pct == 80


def test_a_full_reserve_becomes_80_where_that_is_clamped_too(simulator: Simulator) -> None:
    with simulator.fault("tesla", "clamps-reserve"):
        assert post(simulator, "backup", backup_reserve_percent=100) == 200
        clamped = simulator.powerwall.reserve_pct
        post(simulator, "backup", backup_reserve_percent=20)

    assert (clamped, simulator.powerwall.reserve_pct) == (80, 20)


def test_one_of_two_settings_may_be_the_one_that_is_ignored(simulator: Simulator) -> None:
    with simulator.fault("tesla", "ignores-writes", only="reserve"):
        post(simulator, "operation", default_real_mode="backup")
        post(simulator, "backup", backup_reserve_percent=100)

    assert (simulator.powerwall.mode, simulator.powerwall.reserve_pct) == ("backup", 20)


def test_autonomous_may_be_ignored_from_backup_alone(simulator: Simulator) -> None:
    with simulator.fault("tesla", "ignores-autonomous-from-backup"):
        modes = []
        for mode in ("backup", "autonomous", "self_consumption", "autonomous"):
            assert post(simulator, "operation", default_real_mode=mode) == 200
            modes.append(simulator.powerwall.mode)

    assert modes == ["backup", "backup", "self_consumption", "autonomous"]


def test_mode_backup_may_be_refused_while_the_reserve_is_taken(simulator: Simulator) -> None:
    with simulator.fault("tesla", "refuses-backup-mode"):
        statuses = [post(simulator, "operation", default_real_mode=mode) for mode in ("backup", "self_consumption")]
        statuses.append(post(simulator, "backup", backup_reserve_percent=100))

    assert statuses == [400, 200, 200]
    assert (simulator.powerwall.mode, simulator.powerwall.reserve_pct) == ("self_consumption", 100)


def test_autonomous_without_a_rate_plan_is_gone(simulator: Simulator) -> None:
    simulator.powerwall.has_rate_plan = False

    assert post(simulator, "operation", default_real_mode="autonomous") == 410
    assert post(simulator, "operation", default_real_mode="self_consumption") == 200


def test_grid_charging_can_be_switched(simulator: Simulator) -> None:
    post(simulator, "grid_import_export", disallow_charge_from_grid_with_solar_installed=True)

    assert simulator.powerwall.grid_charging is False


def test_a_command_shows_only_after_so_many_reads(simulator: Simulator, folder: Path) -> None:
    simulator.powerwall.visible_after_reads = 2
    powerwall = connect(simulator, folder)
    powerwall.set_mode("backup")

    assert [powerwall.get_mode(force=True) for _ in range(3)] == ["autonomous", "autonomous", "backup"]


def test_a_command_shows_only_after_its_delay(simulator: Simulator, folder: Path) -> None:
    simulator.powerwall.delay_s = 90
    powerwall = connect(simulator, folder)
    powerwall.set_mode("backup")
    early = powerwall.get_mode(force=True)
    simulator.set_time(simulator.now + timedelta(seconds=90))

    assert (early, powerwall.get_mode(force=True)) == ("autonomous", "backup")


def test_a_command_may_be_accepted_and_never_obeyed(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    with simulator.fault("tesla", "ignores-writes"):
        powerwall.set_mode("backup")
    simulator.set_time(simulator.now + timedelta(days=2))

    assert powerwall.get_mode(force=True) == "autonomous"


def test_a_mode_right_after_a_reserve_may_be_lost(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    with simulator.fault("tesla", "drops-mode"):
        powerwall.set_operation(100, "backup")

    assert settings(powerwall) == ("autonomous", 100)


def test_missing_fields_and_empty_answers_reach_the_library(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    with simulator.fault("tesla", "no-reserve-field"), simulator.fault("tesla", "no-mode-field"):
        partly = settings(powerwall)
    with simulator.fault("tesla", "response-null"):
        empty = settings(powerwall)

    assert partly == (None, 0)
    assert empty == (None, 0)


def test_an_error_code_in_a_good_answer_is_the_library_s_error(simulator: Simulator, folder: Path) -> None:
    with simulator.fault("tesla", "error-body"):
        answer = connect(simulator, folder).set_mode("backup")

    assert "error" in answer
    assert simulator.powerwall.mode == "autonomous"


def test_a_write_can_be_obeyed_though_its_answer_is_lost(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    with simulator.fault("tesla", "drop", only="operation", after=True):
        powerwall.set_mode("backup")

    assert simulator.powerwall.mode == "backup"
    assert statuses(simulator, "operation") == [0, 0]  # the library sends it again over HTTP/1.1


def test_storm_grid_services_and_outage_show_in_the_live_status(simulator: Simulator, folder: Path) -> None:
    powerwall = connect(simulator, folder)
    with (
        simulator.fault("tesla", "storm"),
        simulator.fault("tesla", "grid-services"),
        simulator.fault("tesla", "off-grid"),
    ):
        live = powerwall.client.get_site_power(force=True)["response"]

    assert (live["storm_mode_active"], live["grid_services_active"], live["island_status"]) == (True, True, "off_grid")


def test_a_vanished_site_is_not_connected(simulator: Simulator, folder: Path) -> None:
    with simulator.fault("tesla", "site-gone"):
        assert not connect(simulator, folder).is_connected()


def test_of_two_sites_one_may_be_gone(simulator: Simulator, folder: Path) -> None:
    simulator.tesla.add_site()

    with simulator.fault("tesla", "site-gone", only="Holiday house"):
        assert connect(simulator, folder).is_connected()
    with simulator.fault("tesla", "site-gone", only="Home"):
        assert not connect(simulator, folder).is_connected()


def test_two_sites_may_be_listed_in_another_order(simulator: Simulator, folder: Path) -> None:
    simulator.tesla.add_site()

    def first_site() -> str:
        account = Powerwall("", email=simulator.house.tesla_email, cloudmode=True, authpath=str(folder), failover=False)
        return str(account.client.site["site_name"])

    before = first_site()
    with simulator.fault("tesla", "sites-reversed"):
        assert (before, first_site()) == ("Holiday house", "Home")


def test_a_forgotten_site_makes_the_library_go_over_to_the_one_that_is_left(simulator: Simulator, folder: Path) -> None:
    """It is listed until its own address has answered 404: the reason to look at where the library ends up."""
    other = simulator.tesla.add_site()
    powerwall = connect(simulator, folder)
    with simulator.fault("tesla", "site-forgotten", only="Home"):
        powerwall.set_mode("backup")

    assert (simulator.powerwall.mode, other.powerwall.mode) == ("autonomous", "backup")
    assert connect(simulator, folder).is_connected()  # it is listed again when the trouble is over


def test_a_second_site_and_a_solar_product_are_listed_and_left_alone(simulator: Simulator, folder: Path) -> None:
    other = simulator.tesla.add_site()
    simulator.tesla.has_solar = True
    connect(simulator, folder).set_mode("backup")

    assert simulator.powerwall.mode == "backup"
    assert other.powerwall.writes == []


def test_energy_flows_with_time(simulator: Simulator) -> None:
    start_pct = simulator.powerwall.soe_pct
    simulator.set_time(simulator.now + timedelta(minutes=60))
    rested_pct = simulator.powerwall.soe_pct
    simulator.myenergi.zappis[0].watts = 7200
    simulator.set_time(simulator.now + timedelta(minutes=30))
    drained_pct = simulator.powerwall.soe_pct
    simulator.powerwall.set_manually(mode="backup")
    simulator.set_time(simulator.now + timedelta(minutes=60))

    assert rested_pct == pytest.approx(start_pct - 100 * 0.5 / 13.5)
    assert drained_pct == pytest.approx(rested_pct - 100 * 2.5 / 13.5)
    assert simulator.powerwall.soe_pct == pytest.approx(drained_pct + 100 * 5 / 13.5)
