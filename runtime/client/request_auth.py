"""MLflow's plug-in for MLFLOW_TRACKING_AUTH=trackstack: each token to its own server alone."""

from typing import Any

from runtime.client import variables
from runtime.client.logins import Logins


class TrackstackAuth:
    """What `requests` calls for each request: adds the token that its address may carry."""

    def __call__(self, request: Any) -> Any:
        if "Authorization" not in request.headers:
            login = Logins().for_request(request.url)
            if login:
                request.headers["Authorization"] = f"Bearer {login.token}"
        return request


class TrackstackAuthProvider:
    """As MLflow's RequestAuthProvider, which it is asked like."""

    def get_name(self) -> str:
        return variables.PLUGIN

    def get_auth(self) -> TrackstackAuth:
        return TrackstackAuth()
