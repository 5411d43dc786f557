"""
Amazon SNS through boto3's core, imported when the first message is sent: it costs more than everything else.

botocore is what boto3 is made of; boto3 itself would add S3's transfers and 60 ms to a start.
"""

import threading
from typing import Any

from parley.channels import sms
from parley.channels.outcome import Answer, Failed, Parked, Retry, Sent, Unsure
from parley.domain.delivery import Job


class Sns:
    """Text messages. Without keys the process's own identity counts, as botocore finds it (a role, in a cluster)."""

    def __init__(
        self, *, region: str, access_key: str | None = None, secret_key: str | None = None, endpoint: str | None = None
    ) -> None:
        self._region = region
        self._keys = (access_key, secret_key)
        self._endpoint = endpoint
        self._client: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Import what a call needs."""
        import botocore.config
        import botocore.session  # noqa: F401 - it is there when it is needed

    def send(self, job: Job, timeout: float) -> Sent:
        """Publish one text message, in one attempt."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            NoCredentialsError,
        )

        try:
            arguments = sms.render(job)
        except ValueError as error:
            return Sent(Failed(str(error)))
        try:
            answer = self._opened(timeout).publish(**arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            return Sent(sms.outcome(Answer(status, error.response.get("Error", {}).get("Code"))))
        except NoCredentialsError:
            return Sent(Parked("there are no credentials for SNS"))
        except (EndpointConnectionError, ConnectTimeoutError):
            return Sent(Retry("SNS cannot be reached"))
        except BotoCoreError:
            return Sent(Unsure("SNS's answer was lost"))
        return Sent(sms.outcome(Answer(200, provider_id=answer["MessageId"])))

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - SNS cannot be asked
        """Say that it cannot be known."""
        return Sent(Unsure("an earlier attempt may have been sent"))

    def _opened(self, timeout: float) -> Any:
        from botocore.config import Config
        from botocore.session import get_session

        with self._lock:
            if self._client is None:
                config = Config(
                    retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=max(1.0, timeout - 3)
                )
                self._client = get_session().create_client(
                    "sns",
                    region_name=self._region,
                    aws_access_key_id=self._keys[0],
                    aws_secret_access_key=self._keys[1],
                    endpoint_url=self._endpoint,
                    config=config,
                )
            return self._client
