"""From where on something is not well while it still works: somebody has to see to it in time."""

from datetime import timedelta

# Databases and uploads need some room to fail in order.
LEAST_FREE_BYTES = 1 << 30
# Proxies renew their certificates earlier by themselves.
CERTIFICATE_RENEWED_BY = timedelta(days=14)
