"""How long a connection may keep silent: uvicorn itself waits for a request without end."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds for a request's headers in all, and without any byte of its body. An upload of any size
# goes through as long as it moves.
HEADERS_SECONDS, SILENCE_SECONDS = 20.0, 60.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request does not come (slowloris)."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect(HEADERS_SECONDS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._stop_waiting()
            self._expect(SILENCE_SECONDS)
        elif state is not h11.IDLE:
            self._stop_waiting()
        elif self._deadline is None:
            self._expect(HEADERS_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._is_over)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_over(self) -> None:
        self._deadline = None
        if self.flow.read_paused:
            # It is the application that does not read.
            self._expect(SILENCE_SECONDS)
        else:
            self.transport.close()
