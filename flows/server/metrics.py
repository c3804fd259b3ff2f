"""What Prometheus reads of the service."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from glassplate.flows.server.service import Service

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Metrics:
    """Counts of requests, and what queues and caches hold when they are looked at."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "glassplate_requests", "Requests, by status.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "glassplate_request_seconds",
            "From a request to the end of its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._sent = Counter("glassplate_sent_bytes", "Bytes of bodies.", registry=self._registry)
        self._registry.register(self)

    def count(self, status: int, seconds: float, size: int) -> None:
        """One request that was answered."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)
        self._sent.inc(size)

    def collect(self) -> Iterator[Metric]:
        """What is so now."""
        service = self._service
        waiting = GaugeMetricFamily(
            "glassplate_queue", "Requests at work or waiting.", labels=["queue"]
        )
        ended = CounterMetricFamily(
            "glassplate_work", "What became of requests to processes.", labels=["queue", "outcome"]
        )
        for name, pool in service.pools.items():
            waiting.add_metric([name], pool.load)
            for outcome in ("done", "shared", "refused", "timeouts", "died"):
                ended.add_metric([name, outcome], pool.counts[outcome])
        yield waiting
        yield ended
        cache = service.answers
        yield GaugeMetricFamily("glassplate_cache_bytes", "Finished answers kept.", cache.bytes)
        yield CounterMetricFamily("glassplate_cache_hits", "Answers from the cache.", cache.hits)
        yield CounterMetricFamily("glassplate_cache_misses", "Answers made anew.", cache.misses)
        number = service.catalogue.view.number
        yield GaugeMetricFamily("glassplate_snapshot", "Number of the one that is served.", number)

    def text(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self._registry)
