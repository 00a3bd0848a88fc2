"""A local Apache Kafka (KRaft, one node) for trying and for tests: its own data folder, ports and pid."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import CrossfadeError
from stream.kafka_jars import cache_folder, java_command, kafka_jars
from stream.logs.kafka_client import admin
from stream.logs.settings import KafkaSettings

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_STATE = "broker.json"
_PROPERTIES = "server.properties"

# One of each internal partition and one replica: a light broker that starts in seconds.
_SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}/data
auto.create.topics.enable=false
message.max.bytes=16777216
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""

_LOG4J = """\
status=error
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={data}/server.log
appender.file.filePattern={data}/server.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
"""


@dataclass(frozen=True)
class Broker:
    """A broker's process. `data` is its folder, `bootstrap_servers` what clients are given."""

    pid: int
    bootstrap_servers: str
    data: str


def default_data() -> Path:
    return cache_folder() / "broker"


def status(data: Path) -> Broker | None:
    """The broker that runs on this data folder, or None."""
    try:
        broker = Broker(**json.loads((data / _STATE).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return broker if _is_broker(broker.pid, data) else None


def start(data: Path, port: int = 0) -> Broker:
    """Start a broker and wait until it answers; one that runs on `data` already is returned as it is.

    Port 0 takes a free one. Raises CrossfadeError: no Java, no Maven, port in use, or it did not start.
    """
    data = data.resolve()
    running = status(data)
    if running is not None:
        return running
    if port and _answers(port):
        raise CrossfadeError(f"port {port} is in use by another program; choose one with --port.")
    java, jars = java_command(), kafka_jars()
    port, controller_port = port or _free_port(), _free_port()
    data.mkdir(parents=True, exist_ok=True)
    places = {"data": data, "host": HOST, "port": port, "controller_port": controller_port}
    (data / _PROPERTIES).write_text(_SERVER.format(**places))
    (data / "log4j2.properties").write_text(_LOG4J.format(data=data))
    if not (data / "data" / "meta.properties").exists():
        _format(java, jars, data)
    with (data / "console.log").open("wb") as console:
        # Its own session: the broker outlives the command and its terminal.
        process = subprocess.Popen(
            [*_java(java, jars, data, heap="512m"), "kafka.Kafka", str(data / _PROPERTIES)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    broker = Broker(process.pid, f"{HOST}:{port}", str(data))
    (data / _STATE).write_text(json.dumps(asdict(broker)))
    _wait_until_ready(process, broker)
    return broker


def stop(data: Path) -> Broker | None:
    """Stop the broker of this data folder and wait for its end; None if none runs. Its data stay."""
    broker = status(data)
    if broker is None:
        return None
    deadline = time.monotonic() + STOP_SECONDS
    _signal(broker.pid, signal.SIGTERM)
    while _is_broker(broker.pid, data):
        if time.monotonic() > deadline:
            _signal(broker.pid, signal.SIGKILL)
        time.sleep(0.05)
    (data / _STATE).unlink(missing_ok=True)
    return broker


def _java(java: str, jars: Path, data: Path, heap: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={data / 'log4j2.properties'}"
    return [java, f"-Xmx{heap}", "-XX:+UseSerialGC", logging, "-cp", f"{jars}/*"]


def _format(java: str, jars: Path, data: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    # A leading dash would be taken for an option.
    cluster = "A" + cluster[1:]
    tool = [*_java(java, jars, data, heap="256m"), "kafka.tools.StorageTool"]
    command = [*tool, "format", "--cluster-id", cluster, "--config", str(data / _PROPERTIES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip().splitlines() or ["no reason given"]
        raise CrossfadeError(f"the broker's data folder {data} could not be formatted: {reason[-1]}.")


def _wait_until_ready(process: "subprocess.Popen[bytes]", broker: Broker) -> None:
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    deadline = time.monotonic() + START_SECONDS
    while not (_answers(port) and _serves(broker.bootstrap_servers)):
        data = Path(broker.data)
        if process.poll() is not None:
            (data / _STATE).unlink(missing_ok=True)
            raise CrossfadeError(
                f"the broker ended while it started ({_reason(data)}); see {data}/server.log."
            )
        if time.monotonic() > deadline:
            _signal(process.pid, signal.SIGKILL)
            process.wait()
            raise CrossfadeError(
                f"the broker did not answer within {START_SECONDS:.0f} s and was stopped; "
                f"see {data}/server.log."
            )
        time.sleep(0.1)


def _reason(data: Path) -> str:
    lines: list[str] = []
    for name in ("server.log", "console.log"):
        file = data / name
        if file.exists():
            lines += file.read_text(errors="replace").splitlines()
    told = [line for line in lines if " ERROR " in line or " FATAL " in line or "Exception" in line]
    return (told or lines or ["no reason given"])[-1].strip()[:300]


def _serves(bootstrap_servers: str) -> bool:
    """Whether the broker is registered: a connection alone comes earlier, and topics would fail."""
    try:
        with admin(KafkaSettings(bootstrap_servers), "ask the broker") as client:
            return bool(client.describe_cluster()["brokers"])
    except CrossfadeError:
        return False


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_broker(pid: int, data: Path) -> bool:
    """Whether this pid is the broker of this folder: a pid may have gone to another program since."""
    return str(data.resolve() / _PROPERTIES) in _command_line(pid)


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return []
    # Systems without /proc; the path is the last argument, and may hold spaces.
    result = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    _, found, properties = result.stdout.strip().partition("kafka.Kafka ")
    return [properties] if found else []
