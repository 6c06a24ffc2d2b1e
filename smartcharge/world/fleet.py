"""Tesla's Fleet API for energy sites: the owner API's resources behind regional servers and tokens of their own."""

from datetime import datetime

from smartcharge.world.tesla import TeslaCloud
from smartcharge.world.tesla_sign_in import FLEET_AUDIENCE, TeslaSignIn
from smartcharge.world.wire import Asked, Reply, json_reply

EUROPE = "fleet-api.prd.eu.vn.cloud.tesla.com"
AMERICA = "fleet-api.prd.na.vn.cloud.tesla.com"
HOSTS = (EUROPE, AMERICA)


class FleetApi:
    """The Fleet API of the same account; its sites are at home in Europe, and unknown anywhere else."""

    name = "tesla"

    def __init__(self, cloud: TeslaCloud, sign_in: TeslaSignIn) -> None:
        self._cloud = cloud
        self._sign_in = sign_in

    def operation(self, asked: Asked) -> str:
        """As the owner API names it."""
        return self._cloud.operation(asked)

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve one request of a signed-in application."""
        if reason := self._sign_in.refusal(asked.headers.get("authorization", ""), now, FLEET_AUDIENCE):
            return json_reply({"response": None, "error": reason, "error_description": ""}, 401)
        if asked.host == EUROPE:
            return self._cloud.serve(asked, now)
        if asked.path == "/api/1/products":
            return json_reply({"response": [], "count": 0})
        return json_reply({"response": None, "error": "not_found", "error_description": ""}, 404)
