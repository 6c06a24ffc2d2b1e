"""The questions fit the schema that Kraken's suppliers publish, as far as they touch it."""

import re

import pytest
from graphql import build_schema, parse, validate

from smartcharge.adapters._kraken_queries import everything, old_plan, own_accounts, plans, registry, sign_in

SCHEMA = build_schema("""
    scalar DateTime
    scalar Decimal
    scalar GenericScalar
    enum Kind { ELECTRIC_VEHICLES BATTERIES }
    enum Lifecycle { LIVE RETIRED }
    enum State { BOOSTING }
    enum Charging { SMART BOOST TEST }
    interface Status { current: Lifecycle isSuspended: Boolean currentState: State }
    interface Device { id: ID! name: String deviceType: Kind! status: Status! }
    type Flex { start: DateTime! end: DateTime! type: Charging! energyAddedKwh: Decimal }
    type Meta { source: String location: String }
    type Upside { start: DateTime! end: DateTime! delta: Decimal meta: Meta }
    type Account { number: String }
    type Viewer { accounts: [Account] }
    type Query {
        devices(accountNumber: String!, propertyId: ID, deviceId: String, integrationDeviceId: String): [Device!]
        flexPlannedDispatches(deviceId: String!): [Flex]
        completedDispatches(accountNumber: String!): [Upside]
        plannedDispatches(accountNumber: String!): [Upside]
        viewer: Viewer
    }
    input ObtainJSONWebTokenInput { APIKey: String email: String password: String refreshToken: String }
    type Obtained { token: String! payload: GenericScalar! refreshToken: String refreshExpiresIn: Int }
    type Mutation { obtainKrakenToken(input: ObtainJSONWebTokenInput!): Obtained }
""")
"""Names and types only; of devices and their status just what every concrete type has."""

QUESTIONS = {
    "no device known": everything("A-1", []),
    "two devices known": everything("A-1", ["x", "y"]),
    "a new device": plans(["x"]),
    "the devices alone": registry("A-1"),
    "the older plan": old_plan("A-1"),
    "a sign-in": sign_in({"email": "a@b.c", "password": "p"}),
    "the accounts": own_accounts(),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_fits_the_schema(question: object) -> None:
    text = getattr(question, "text", "")

    assert text
    assert validate(SCHEMA, parse(text)) == []


@pytest.mark.parametrize(
    "question",
    [everything('"A"', ['"x"']), plans(['"x"']), registry('"A"'), old_plan('"A"'), sign_in({"email": '"e"'})],
)
def test_no_value_is_built_into_a_question(question: object) -> None:
    assert re.findall(r'"', getattr(question, "text", '"')) == []
