"""Reads Prometheus text (exposition format 0.0.4) and is stricter about it than Prometheus is."""
import re
import shutil
import subprocess

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
UNITS = re.compile(r"_(milliseconds|microseconds|ms|us|minutes|hours|days|kilobytes|megabytes|kb|mb|percent)(_|$)")


class Metrics:
    """The samples of one scrape, after every rule has held: `metrics["name", {"label": "value"}]` is a number."""

    def __init__(self, text: str):
        self.types: dict[str, str] = {}
        self.samples: dict[tuple, float] = {}
        helped, finished, family = set(), set(), None
        assert text.endswith("\n"), "the last line does not end"
        for number, line in enumerate(text.split("\n")[:-1], 1):
            where = f"line {number}: {line}"
            if line.startswith("# HELP "):
                _, _, name, what = line.split(" ", 3)
                assert NAME.fullmatch(name) and what.strip(), where
                assert name not in helped, f"a second HELP: {where}"
                helped.add(name)
                assert name not in finished, f"the family comes twice: {where}"
                finished.add(family)
                family = name
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == family and name not in self.types, f"TYPE without its HELP, or twice: {where}"
                assert kind in ("counter", "gauge", "histogram"), where
                self.types[name] = kind
            else:
                match = SAMPLE.fullmatch(line)
                assert match, f"no sample: {where}"
                name, labels, value = match[1], self._labels(match[2] or "", where), float(match[3])
                base = re.sub(r"_(bucket|sum|count)$", "", name) if self.types.get(family) == "histogram" else name
                assert base == family and family in self.types, f"a sample outside its family: {where}"
                key = (name, tuple(sorted(labels.items())))
                assert key not in self.samples, f"twice: {where}"
                self.samples[key] = value
        for name, kind in self.types.items():
            self._check_family(name, kind)

    @staticmethod
    def _labels(text: str, where: str) -> dict[str, str]:
        found, at = {}, 0
        while at < len(text):
            match = LABEL.match(text, at)
            assert match, f"bad labels: {where}"
            assert match[1] not in found and not match[1].startswith("__"), where
            found[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
            at = match.end()
        return found

    def _check_family(self, name: str, kind: str) -> None:
        assert name.startswith("cipherway_"), name
        assert not UNITS.search(name), f"{name}: not a base unit"
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        if kind != "histogram":
            assert not re.search(r"_(bucket|sum|count)$", name), name
        for (sample, labels), value in self.samples.items():
            if kind == "counter" and sample == name:
                assert value >= 0, (sample, labels, value)
        if kind == "histogram":
            self._check_histogram(name)

    def _check_histogram(self, name: str) -> None:
        series: dict[tuple, list] = {}
        for (sample, labels), value in self.samples.items():
            if sample == name + "_bucket":
                bound = float(dict(labels)["le"].replace("+Inf", "inf"))
                series.setdefault(tuple(x for x in labels if x[0] != "le"), []).append((bound, value))
        assert series, f"{name} has no bucket"
        for labels, buckets in series.items():
            assert buckets == sorted(buckets), f"{name}{labels}: buckets out of order, or not cumulative"
            counts = [count for _, count in buckets]
            assert counts == sorted(counts), f"{name}{labels}: not cumulative"
            assert buckets[-1][0] == float("inf"), f"{name}{labels}: no +Inf"
            assert self.samples[(name + "_count", labels)] == counts[-1], f"{name}{labels}: count is not +Inf's"
            assert self.samples[(name + "_sum", labels)] >= 0

    def __getitem__(self, key) -> float:
        name, labels = key if isinstance(key, tuple) else (key, {})
        return self.samples[(name, tuple(sorted(labels.items())))]

    def total(self, name: str, **labels) -> float:
        """The sum of all samples of a name that have these labels."""
        return sum(value for (sample, has), value in self.samples.items()
                   if sample == name and labels.items() <= dict(has).items())

    def counters(self) -> dict[tuple, float]:
        """What must never go back: counters, and what histograms count."""
        return {key: value for key, value in self.samples.items()
                if re.search(r"_(total|bucket|count|sum)$", key[0])}


def promtool(text: str) -> None:
    """Prometheus' own checker (package prometheus) has no complaint."""
    assert shutil.which("promtool"), "promtool is missing: run tools/setup test"
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr.strip(), (done.stdout + done.stderr).decode()
