"""Runs Yosys on the kernel, unit by unit: a unit is a module that stands directly inside `systole`,
`systole_kernel`, `systole_core_readable` or `systole_array`; what is below it is flattened into it.
Equal units are mapped once, and again only when their source has changed.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLOW = "1"  # part of the keys of the kept results; counts up when the commands below change
HOLDERS = ("systole", "systole_kernel", "systole_core_readable", "systole_array", "systole_array_packed")
# Small cells that become part of what they stand in.
CELLS = ("systole_clock_gate", "systole_delay", "systole_fifo", "systole_beats_to_rows")
SAID = re.compile(r"implicitly declared|has no driver|multiple conflicting drivers|logic loop|(?<!No )latch inferred")


class Failed(Exception):
    pass


class Stopped(Exception):
    """The time given is over."""


def sources():
    folder = ROOT / "hw/rtl"
    lines = (line.split("//")[0].strip() for line in (folder / "systole.f").read_text().splitlines())
    return [folder / line for line in lines if line]


def parameters(module):
    """Names of a module's parameters."""
    return set(re.findall(r"^ *parameter int (\w+)", (ROOT / f"hw/rtl/{module}.sv").read_text(), re.M))


def version():
    said = subprocess.run(["yosys", "-V"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return " ".join(said.split()[:2])


def yosys(script, log, seconds=None):
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        ended = subprocess.run(["yosys", "-q", "-l", str(log), "-s", "-"], input=script, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Stopped()
    if ended.returncode != 0:
        raise Failed(f"Yosys failed ({log}):\n{ended.stdout[-2000:]}")


def renumber(text):
    """Yosys numbers its own names through the whole design; here they count in each module, so that
    a change elsewhere leaves the module's text as it is."""
    numbers = {}
    return re.sub(r"\$(\d+)(?=[\s\[\]_])", lambda m: f"${numbers.setdefault(m.group(1), len(numbers))}", text)


class Design:
    """The elaborated kernel: texts of its modules and who stands in whom."""

    def __init__(self, work, top, parameters):
        work.mkdir(parents=True, exist_ok=True)
        out = work / f"elaborated-{os.getpid()}.il"
        given = " ".join(f"-set {name} {value}" for name, value in parameters.items())
        files = " ".join(str(path) for path in sources())
        yosys(f"read_verilog -defer -sv -DSYNTHESIS -I{ROOT}/hw/rtl {files}\n"
              f"{'chparam ' + given + ' ' + top if given else ''}\nhierarchy -check -top {top}\nwrite_rtlil {out}\n", out.with_suffix(".log"))
        text = out.read_text()
        out.unlink()
        out.with_suffix(".log").unlink()
        self.text, self.inside, self.base = {}, {}, {}
        for match in re.finditer(r"((?:^attribute [^\n]*\n)*)^module (\S+)\n(.*?)^end\n", text, re.M | re.S):
            name = match.group(2)
            if "$abstract" in name:
                continue
            body = match.group(1) + f"module {name}\n" + match.group(3) + "end\n"
            body = re.sub(r"^ *attribute \\src .*\n", "", body, flags=re.M).replace(f"{ROOT}/", "")
            self.text[name] = renumber(body)
        for name in self.text:
            self.base[name] = re.search(r"\\(systole[A-Za-z0-9_]*)", name).group(1)
        for name, body in self.text.items():
            self.inside[name] = [(kind, label) for kind, label in re.findall(r"^  cell (\S+) (\S+)$", body, re.M) if kind in self.text]
        self.top = next(n for n in self.text if self.base[n] == top)
        self.unit = {self.top}
        pending = [self.top]
        while pending:
            holder = pending.pop()
            if self.base[holder] not in HOLDERS:
                continue
            for kind, _ in self.inside[holder]:
                if self.base[kind] in CELLS or kind in self.unit:
                    continue
                self.unit.add(kind)
                pending.append(kind)

    def below(self, unit):
        """Modules that are mapped as part of the unit, and units that stand in it."""
        parts, borders, pending = [unit], [], [unit]
        while pending:
            for kind, _ in self.inside[pending.pop()]:
                if kind in self.unit:
                    if kind not in borders:
                        borders.append(kind)
                elif kind not in parts:
                    parts.append(kind)
                    pending.append(kind)
        return parts, borders

    def ports_only(self, module):
        kept, width = [], False
        for line in self.text[module].splitlines():
            if line.startswith("module "):
                kept += ["attribute \\blackbox 1", "attribute \\keep_hierarchy 1", line]
            elif re.match(r"  (wire .*(input|output|inout) \d+ |parameter )", line):
                kept.append(line)
        return "\n".join(kept + ["end\n"])


def safe(name):
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def job(design, unit, family, folder):
    """(key, Yosys's input) of a unit; module names become m_ and a digest of what they are."""
    parts, borders = design.below(unit)
    text = "\n".join(design.text[m] for m in parts) + "\n".join(design.ports_only(m) for m in borders)
    if family == "xc7":  # has no UltraRAM; block RAM then, as Vivado would
        text = re.sub(r'^ *attribute \\ram_style "ultra"\n', "", text, flags=re.M)
    names = {m: f"\\{design.base[m]}__{hashlib.sha256(m.encode()).hexdigest()[:8]}" for m in parts + borders}
    text = re.sub(r"^(module|  cell) (\S+)", lambda m: f"{m.group(1)} {names.get(m.group(2), m.group(2))}", text, flags=re.M)
    key = hashlib.sha256((FLOW + family + text).encode()).hexdigest()[:24]
    return key, names[unit][1:], text


def map_unit(design, unit, family, folder, deadline):
    """The unit's mapped netlist, from the folder if it is there."""
    key, top, text = job(design, unit, family, folder)
    kept = folder / f"{design.base[unit]}-{family}-{key}.json"
    if not kept.exists():
        left = deadline - time.monotonic()
        if left <= 0:
            raise Stopped()
        own = folder / f"work-{os.getpid()}-{key}"
        il, net, log = own.with_suffix(".il"), own.with_suffix(".net.json"), own.with_suffix(".log")
        il.write_text(text)
        begun = time.monotonic()
        try:
            yosys(f"read_rtlil {il}\nhierarchy -top {top}\n"
                  f"synth_xilinx -flatten -noiopad -noclkbuf -family {family} -top {top}\n"
                  f"select -assert-none t:$*\nwrite_json {net}\n", log, left)
            said = log.read_text()
            result = json.loads(net.read_text())["modules"]
        finally:
            for path in (il, net):
                path.unlink(missing_ok=True)
        log.unlink()
        complaints = sorted({line.strip() for line in said.splitlines() if SAID.search(line)})
        if complaints:
            raise Failed(f"{design.base[unit]}: Yosys says: {complaints[0]}")
        result = {"module": result[top], "seconds": round(time.monotonic() - begun, 1),
                  "memories": memories(said)}
        for cell in result["module"]["cells"].values():
            cell.pop("attributes", None)
        own = own.with_suffix(".kept")
        own.write_text(json.dumps(result))
        own.replace(kept)
    return top, json.loads(kept.read_text())


def memories(log):
    """{memory: bits} of memories that became flip-flops: what memory_map said."""
    found = {}
    for name, cells_, width in re.findall(r"Mapping memory (\S+) in module \S+:\n(?:.*\n)*?  created (\d+) \$dff cells and \d+ static cells of width (\d+)", log):
        if int(cells_):
            found[name.lstrip("\\")] = int(cells_) * int(width)
    return found


def map_design(design, family, folder, jobs, deadline, only=None):
    """{module name: netlist}, names of the units' netlists by module, times. Slow ones first."""
    folder.mkdir(parents=True, exist_ok=True)
    order = {"systole_activate": 0, "systole_ledger": 1, "systole_kernel": 2, "systole_store": 3, "systole_load": 4, "systole_weights": 5}
    units = sorted(design.unit, key=lambda m: order.get(design.base[m], 9))
    if only:
        units = [u for u in units if only(design.base[u])]
    results, late = {}, []
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(map_unit, design, unit, family, folder, deadline): unit for unit in units}
        for future in concurrent.futures.as_completed(futures):
            try:
                results[futures[future]] = future.result()
            except Stopped:
                late.append(design.base[futures[future]])
    return results, late
