"""SNA: the legacy progress body, the client's second channel. Zero-valued optional fields are left out."""

import msgspec


class SnaProgress(msgspec.Struct, frozen=True):
    """One update: `POST {SNA_API_URL}/api/v1/progress/{job}/update`.

    Integral percents are written without `.0`, as the original writes them.
    """

    stage: str
    status: str
    bytes_transferred: int
    total_bytes: int | msgspec.UnsetType = msgspec.UNSET
    throughput_bps: int = 0
    percent: int | float | msgspec.UnsetType = msgspec.UNSET
    sync_type: str | msgspec.UnsetType = msgspec.UNSET
    error_message: str | msgspec.UnsetType = msgspec.UNSET


decode = msgspec.json.Decoder(SnaProgress).decode
