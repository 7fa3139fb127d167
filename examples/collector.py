"""A collector that prints what it is sent: each span and each evaluation on a line. Only for looking.

python examples/collector.py, then OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 in the other terminal.
"""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def spell(attributes) -> str:
    """The attributes of the GenAI conventions and of Solon, as text."""
    told = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
    return " ".join(f"{key}={value}" for key, value in told.items() if key.startswith(("gen_ai.", "solon.")))


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    for span in scope.spans:
                        print("span", span.trace_id.hex()[:8], span.name, spell(span.attributes), flush=True)
        if self.path == "/v1/logs":
            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in group.scope_logs:
                    for one in scope.log_records:
                        print(
                            "event", one.trace_id.hex()[:8], one.event_name, spell(one.attributes), flush=True
                        )
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_about) -> None:
        """Say nothing of the requests themselves."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 4318), Collector).serve_forever()
