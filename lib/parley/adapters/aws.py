"""
Amazon through boto3's core, imported when the first message is sent: it costs more than everything else.

botocore is what boto3 is made of; boto3 itself would add S3's transfers and 60 ms to a start.
"""

import threading
from dataclasses import dataclass
from typing import Any

from parley.channels.outcome import Answer


@dataclass(frozen=True)
class Called:
    """What came of a call: an answer, or that nothing left, or that the answer was lost or could not be read."""

    answer: Answer
    unreachable: bool = False
    lost: bool = False


class Amazon:
    """
    One service in one region, each call made once.

    Without keys the process's own identity counts, as botocore finds it (a role, in a cluster).
    """

    def __init__(
        self,
        service: str,
        region: str,
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        self.region = region
        self._service = service
        self._keys = (access_key, secret_key)
        self._endpoint = endpoint
        self._client: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Import what a call needs."""
        import botocore.config
        import botocore.session  # noqa: F401 - it is there when it is needed

    def call(self, operation: str, timeout: float, **arguments: Any) -> Called:
        """Call once."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            NoCredentialsError,
            ParamValidationError,
        )
        from botocore.parsers import ResponseParserError

        try:
            answer = getattr(self._opened(timeout), operation)(**arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            return Called(Answer(status, error.response.get("Error", {}).get("Code")))
        except NoCredentialsError:
            return Called(Answer(403, "NoCredentials"))
        except ParamValidationError:
            return Called(Answer(400, "ParamValidation"))
        except (EndpointConnectionError, ConnectTimeoutError):
            return Called(Answer(503), unreachable=True)
        except (BotoCoreError, ResponseParserError):  # the second: an answer that cannot be read
            return Called(Answer(500), lost=True)
        told = answer.get("MessageId")  # none when it is something else: botocore takes any text for JSON
        return Called(Answer(200, provider_id=told), lost=told is None)

    def _opened(self, timeout: float) -> Any:
        from botocore.config import Config
        from botocore.session import get_session

        with self._lock:
            if self._client is None:
                config = Config(
                    retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=max(1.0, timeout - 3)
                )
                self._client = get_session().create_client(
                    self._service,
                    region_name=self.region,
                    aws_access_key_id=self._keys[0],
                    aws_secret_access_key=self._keys[1],
                    endpoint_url=self._endpoint,
                    config=config,
                )
            return self._client
