from simulation import Simulation


def test_the_demo_names_its_stories(simulation: Simulation) -> None:
    outcome = simulation.run("12:00", "demo", "--list")

    assert outcome.exit_code == 0
    assert "evening" in outcome.stdout
    assert "idle" in outcome.stdout


def test_an_unknown_story_is_a_usage_error(simulation: Simulation) -> None:
    outcome = simulation.run("12:00", "demo", "--story", "atlantis")

    assert outcome.exit_code == 2
    assert "demo --list" in outcome.stderr
