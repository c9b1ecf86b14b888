"""The tables of docs/fpga.md from what scripts/synth measured."""
import re

BEGIN, END = "<!-- synth: begin -->", "<!-- synth: end -->"


def number(value):
    return f"{value:,}" if value == int(value) else f"{value:,.1f}"


def arrays(every):
    """Array alone, per MAC: one line a size, columns by family and packing."""
    by = {(f["dim"], f["family"], f["parameters"].get("PackedDsp", 0) > 0): f["per_mac"]["array"] for f in every}
    lines = ["Array alone (elements, their skew and their sums), per MAC:", "",
             "| Dim | xc7: LUT, FF, DSP | xc7, two columns a DSP48E1 | xcup: LUT, FF, DSP | xcup, two columns a DSP48E2 |",
             "|---|---|---|---|---|"]
    for dim in sorted({f["dim"] for f in every}):
        cells = []
        for family in ("xc7", "xcup"):
            for packed in (False, True):
                one = by.get((dim, family, packed))
                cells.append(f"{one['lut']:.1f}, {one['ff']:.1f}, {one['dsp']:.2f}" if one else "-")
        lines.append(f"| {dim} | " + " | ".join(cells) + " |")
    return lines


def kernel(figures, other):
    """The whole kernel at one size: xcup with depths, the other family beside it."""
    lines = [f"Dim {figures['dim']}, whole kernel, `xcup`, plain array" + (" (7 series: `xc7`)" if other else "") + ":", "",
             "| Block | LUT | of it RAM, SRL | FF | DSP | RAMB36 | URAM | Levels | Widest enable | LUT, FF, DSP in xc7 |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for name, block in figures["blocks"].items():
        widest = max((net["pins"] for net in block["control_fan_out"]), default=0)
        late = "**" if block["levels"] > figures["allowed_levels"] else ""
        beside = other["blocks"].get(name) if other else None
        lines.append(f"| {name} | {number(block['lut'])} | {block['lutram'] + block['srl']} | {number(block['ff'])} | {block['dsp']} | "
                     f"{number(block['bram'])} | {block['uram']} | {late}{block['levels']}{late} | {widest} | "
                     + (f"{number(beside['lut'])}, {number(beside['ff'])}, {beside['dsp']}" if beside else "-") + " |")
    total, beside = figures["total"], other["total"] if other else None
    lines.append(f"| **all** | {number(total['lut'])} | {total['lutram'] + total['srl']} | {number(total['ff'])} | {total['dsp']} | "
                 f"{number(total['bram'])} | {total['uram']} | {max(b['levels'] for b in figures['blocks'].values())} | | "
                 + (f"{number(beside['lut'])}, {number(beside['ff'])}, {beside['dsp']}" if beside else "-") + " |")
    per = figures["per_mac"]["all"]
    lines += ["", f"Per MAC: {per['lut']:.1f} LUT, {per['ff']:.1f} FF, {per['dsp']:.2f} DSP."]
    return lines


def deepest(figures, number_of_paths=6):
    """The kernel's deepest paths, a block each."""
    blocks = sorted(figures["blocks"].items(), key=lambda x: -x[1]["levels"])
    lines = [f"Deepest path into each block, Dim {figures['dim']}, the deepest blocks first:", "", "| Block | Levels | From | To |", "|---|---|---|---|"]
    for name, block in blocks[:number_of_paths]:
        if block["paths"]:
            path = block["paths"][0]
            plain = lambda text: re.sub(r"\$.*", "(unnamed)", text).replace("u_kernel.", "").replace("|", "")  # noqa: E731
            lines.append(f"| {name} | {block['levels']} | `{plain(path['from'])}` ({path['from_kind']}) | `{plain(path['to'])}` |")
    return lines


def pages(every, stamp):
    kernels = [f for f in every if f["top"] == "systole"]
    lines = [BEGIN, "", f"From `scripts/synth --write`, {stamp}.", ""] + arrays(every)
    for figures in kernels:
        if figures["family"] != "xcup":
            continue
        other = next((f for f in kernels if f["dim"] == figures["dim"] and f["family"] == "xc7"), None)
        lines += [""] + kernel(figures, other)
    last = max((f for f in kernels if f["family"] == "xcup"), key=lambda f: f["dim"], default=None)
    if last:
        lines += [""] + deepest(last)
    return "\n".join(lines + ["", END])


def write(path, every, stamp):
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{path} has lost its marks '{BEGIN}' and '{END}'")
    before, rest = text.split(BEGIN, 1)
    path.write_text(before + pages(every, stamp) + rest.split(END, 1)[1])
