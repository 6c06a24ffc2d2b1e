"""Kraken's own error codes, in the envelope it puts them in.

Source: https://developer.octopus.energy/graphql/guides/basics/#errors and the field reference beside it.
"""

from graphql import GraphQLError

MEANING: dict[str, tuple[str, str]] = {
    "KT-CT-1111": ("Unauthorized.", "AUTHORIZATION"),
    "KT-CT-1112": ("'Authorization' header not provided.", "AUTHORIZATION"),
    "KT-CT-1113": ("Disabled GraphQL field requested.", "SERVICE_AVAILABILITY"),
    "KT-CT-1120": ("The Kraken Token has expired.", "APPLICATION"),
    "KT-CT-1124": ("Signature of the JWT has expired.", "APPLICATION"),
    "KT-CT-1134": ("The refresh token has expired.", "VALIDATION"),
    "KT-CT-1135": ("The refresh token is invalid.", "VALIDATION"),
    "KT-CT-1137": ("Please provide only one set of credentials.", "VALIDATION"),
    "KT-CT-1138": ("Invalid data.", "VALIDATION"),
    "KT-CT-1139": ("Authentication failed.", "VALIDATION"),
    "KT-CT-1143": ("The Authorization header value is not a valid credential.", "AUTHORIZATION"),
    "KT-CT-1199": ("Too many requests.", "AUTHORIZATION"),
    "KT-CT-4301": ("Unable to find device for given account.", "NOT_FOUND"),
    "KT-CT-4340": ("Unable to fetch planned dispatches.", "APPLICATION"),
    "KT-CT-4341": ("Unable to fetch completed dispatches.", "APPLICATION"),
}


def kraken_error(code: str) -> GraphQLError:
    """The error a resolver raises: its field becomes null, and the envelope names the code."""
    message, kind = MEANING.get(code, ("Something went wrong.", "APPLICATION"))
    return GraphQLError(
        message,
        extensions={
            "errorType": kind,
            "errorCode": code,
            "errorDescription": message,
            "errorClass": kind,
            "validationErrors": [],
        },
    )
