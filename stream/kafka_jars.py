"""Apache Kafka's jars, copied once by Maven into a cache folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from shared.errors import CrossfadeError

KAFKA_VERSION = "4.3.1"
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>crossfade</groupId><artifactId>local-broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.4</version>
    </dependency>
  </dependencies>
</project>
"""


def cache_folder() -> Path:
    """$CROSSFADE_CACHE, or ~/.cache/crossfade."""
    return Path(os.environ.get("CROSSFADE_CACHE") or Path.home() / ".cache" / "crossfade")


def kafka_jars() -> Path:
    """The folder of Kafka's jars, fetched at the first call. CrossfadeError when Maven cannot."""
    jars = cache_folder() / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise CrossfadeError(
            "Maven (mvn) is not installed, so Apache Kafka cannot be fetched; install it, "
            "or use file:DIR topics."
        )
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
        result = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            lines = [line for line in result.stdout.splitlines() if line.startswith("[ERROR]")]
            reason = lines[0].removeprefix("[ERROR]").strip() if lines else result.stderr.strip()
            raise CrossfadeError(
                f"Maven could not fetch Apache Kafka {KAFKA_VERSION} ({reason[:300]}); "
                f"try again with a network, or use file:DIR topics."
            )
        try:
            (Path(scratch) / "jars").rename(jars)
        except OSError:
            # Another process put the same jars there first; any other reason is an error.
            if not jars.is_dir():
                raise
    return jars


def java_command() -> str:
    """The java to run: $JAVA_HOME's, or the path's. CrossfadeError when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise CrossfadeError("Java is not installed; Apache Kafka needs Java 17 or newer.")
    return java
