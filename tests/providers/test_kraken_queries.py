"""The questions fit the schema that Kraken's suppliers publish, as far as they touch it."""

import re

import pytest
from graphql import build_schema, parse, validate

from smartcharge.providers.kraken.graphql import (
    device_plans_query,
    devices_query,
    full_plan_query,
    legacy_plan_query,
    own_accounts_query,
    sign_in_mutation,
)

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
    "no device known": full_plan_query("A-1", []),
    "two devices known": full_plan_query("A-1", ["x", "y"]),
    "a new device": device_plans_query(["x"]),
    "the devices alone": devices_query("A-1"),
    "the older plan": legacy_plan_query("A-1"),
    "a sign-in": sign_in_mutation({"email": "a@b.c", "password": "p"}),
    "the accounts": own_accounts_query(),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_fits_the_schema(question: object) -> None:
    text = getattr(question, "text", "")

    assert text
    assert validate(SCHEMA, parse(text)) == []


@pytest.mark.parametrize(
    "question",
    [
        full_plan_query('"A"', ['"x"']),
        device_plans_query(['"x"']),
        devices_query('"A"'),
        legacy_plan_query('"A"'),
        sign_in_mutation({"email": '"e"'}),
    ],
)
def test_no_value_is_built_into_a_question(question: object) -> None:
    assert re.findall(r'"', getattr(question, "text", '"')) == []
