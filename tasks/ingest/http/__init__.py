"""The HTTP client: one request as httpx sends it, through transports that throttle, retry, redirect and authenticate."""
