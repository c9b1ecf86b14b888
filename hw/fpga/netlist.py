"""Joins the mapped netlists of the units to one flat netlist, and looks at it: how deep the logic
between two registers is, and how many pins a net drives.

Units are mapped one by one (mapping.py), so nothing is optimised across their borders, but paths
are followed across them.
"""
import collections

import cells


class Net:
    __slots__ = ("name", "unit", "rank")

    def __init__(self, name, unit, rank):
        self.name = name  # path of the instance and name inside it
        self.unit = unit  # instance of the unit that has it
        self.rank = rank  # how good the name is, lower is better


class Flat:
    """All cells under a top; nets are numbers, constants are left out."""

    def __init__(self, modules, top):
        self.modules = modules   # name: module of Yosys's JSON
        self.nets = []           # Net by number
        self.same = {}           # net: net that it is a name of
        self.cells = []          # (kind, parameters, {pin: [nets]}, {pin: direction}, unit)
        self.module_of = {}      # unit: its module
        self.place(top, "", {}, "top", top)
        self.resolve()

    def net(self, name, unit, rank=9):
        self.nets.append(Net(name, unit, rank))
        return len(self.nets) - 1

    def place(self, name, path, outside, unit, module_name):
        """outside: {port: [nets of the parent]}"""
        module = self.modules[module_name]
        self.module_of[unit] = module_name
        local = {}
        for port, data in module["ports"].items():
            if data["direction"] != "input":
                continue
            for bit, parent in zip(data["bits"], outside.get(port, [])):
                if isinstance(bit, int) and parent is not None:
                    local[bit] = parent
        for port, data in module["ports"].items():
            if data["direction"] == "input":
                continue
            for bit, parent in zip(data["bits"], outside.get(port, [])):
                if parent is None:
                    continue
                if not isinstance(bit, int):
                    self.same[parent] = None
                elif bit in local:
                    self.same[parent] = local[bit]
                else:
                    local[bit] = parent

        def number(bit):
            if not isinstance(bit, int):
                return None
            if bit not in local:
                local[bit] = self.net(f"{path}${bit}", unit)
            return local[bit]

        for label, data in module["netnames"].items():
            rank = 2 if data.get("hide_name") else 1 if "." in label else 0
            for index, bit in enumerate(data["bits"]):
                known = number(bit)
                if known is None:
                    continue
                net = self.nets[known]
                if rank < net.rank:
                    suffix = f"[{index}]" if len(data["bits"]) > 1 else ""
                    net.name, net.rank = f"{path}{label}{suffix}", rank
        for label, cell in module["cells"].items():
            kind = cell["type"]
            connections = {pin: [number(b) for b in bits] for pin, bits in cell["connections"].items()}
            if kind in self.modules and not self.modules[kind].get("attributes", {}).get("blackbox"):
                child = f"{path}{label}"
                self.place(label, child + ".", connections, child, kind)
            else:
                self.cells.append((kind, cell["parameters"], connections, cell["port_directions"], unit))

    def resolve(self):
        def root(net):
            seen = []
            while net is not None and net in self.same:
                seen.append(net)
                net = self.same[net]
            for one in seen:
                self.same[one] = net
            return net
        if self.same:
            for _, _, connections, _, _ in self.cells:
                for pin, bits in connections.items():
                    connections[pin] = [root(b) for b in bits]


class Path:
    __slots__ = ("levels", "start", "start_unit", "start_kind", "end", "end_unit", "end_kind", "cells", "nets")


class Timing:
    """Deepest path to every end. Levels as in cells.py."""

    def __init__(self, flat):
        self.flat = flat
        count = len(flat.nets)
        arrival = [None] * count
        reason = [None] * count    # (cell, net before) or (cell, None) at a start
        waits = [0] * count        # arcs into the net not yet followed
        fans = collections.defaultdict(list)  # net: [(cell, out net, levels)]
        ends = []                  # (net, levels, cell, pin)
        for index, (kind, parameters, connections, directions, _) in enumerate(flat.cells):
            starts, stops, through = cells.arcs(kind, parameters, {p: directions[p] for p in connections})
            for pin, levels in starts.items():
                for net in connections[pin]:
                    if net is not None and (arrival[net] is None or arrival[net] < levels):
                        arrival[net], reason[net] = levels, (index, None)
            for pin, levels in stops.items():
                for net in connections[pin]:
                    if net is not None:
                        ends.append((net, levels, index, pin))
            for ins, outs, levels in through:
                targets = [n for p in outs for n in connections[p] if n is not None]
                for pin in ins:
                    for net in connections[pin]:
                        if net is None:
                            continue
                        for target in targets:
                            fans[net].append((index, target, levels))
                            waits[target] += 1
        ready = [n for n in range(count) if waits[n] == 0]
        done = 0
        while ready:
            net = ready.pop()
            done += 1
            before = arrival[net]
            for index, target, levels in fans.get(net, ()):
                if before is not None and (arrival[target] is None or arrival[target] < before + levels):
                    arrival[target], reason[target] = before + levels, (index, net)
                waits[target] -= 1
                if waits[target] == 0:
                    ready.append(target)
        self.loops = [flat.nets[n].name for n in range(count) if waits[n] > 0]
        self.arrival, self.reason, self.ends = arrival, reason, ends

    def deepest(self, want=None, number=1, of_net=None):
        """The deepest paths, one for each group of ends (a register of many bits is one)."""
        best = {}
        for net, levels, index, pin in self.ends:
            if self.arrival[net] is None:
                continue
            unit = self.flat.cells[index][4]
            if want is not None and not want(unit):
                continue
            total = self.arrival[net] + levels
            group = self.end_name(index, pin).split("[")[0]
            if group not in best or best[group][0] < total:
                best[group] = (total, net, index, pin)
        chosen = sorted(best.values(), key=lambda x: -x[0])[:number]
        return [self.path(*one) for one in chosen]

    def end_name(self, index, pin):
        kind, _, connections, directions, unit = self.flat.cells[index]
        if kind in cells.FLIP_FLOPS and connections.get("Q", [None])[0] is not None:
            return self.flat.nets[connections["Q"][0]].name + ("" if pin == "D" else f" ({pin})")
        return f"{unit}: {kind}.{pin}"

    def path(self, total, net, index, pin):
        path = Path()
        path.levels = total
        path.end, path.end_unit, path.end_kind = self.end_name(index, pin), self.flat.cells[index][4], self.flat.cells[index][0]
        path.cells, path.nets = collections.Counter(), []
        while True:
            path.nets.append(self.flat.nets[net].name)
            if self.reason[net] is None:
                path.start, path.start_unit, path.start_kind = self.flat.nets[net].name, self.flat.nets[net].unit, "input"
                break
            cell, before = self.reason[net]
            kind = self.flat.cells[cell][0]
            if before is None:
                path.start, path.start_unit, path.start_kind = self.flat.nets[net].name, self.flat.cells[cell][4], kind
                break
            path.cells["LUT" if cells.is_lut(kind) else "CARRY" if kind.startswith("CARRY") else kind] += 1
            net = before
        path.nets.reverse()
        return path


def fan_outs(flat):
    """{net: (pins, control pins, unit of the driver, kind of the driver)}; clocks are left out."""
    pins, control, clock, driver = collections.Counter(), collections.Counter(), set(), {}
    for kind, _, connections, directions, unit in flat.cells:
        if kind == "INV":
            continue
        for pin, bits in connections.items():
            for net in set(bits):
                if net is None:
                    continue
                if directions[pin] == "output":
                    driver[net] = (unit, kind)
                elif pin in cells.CLOCKS:
                    clock.add(net)
                else:
                    pins[net] += 1
                    control[net] += pin in cells.CONTROL
    return {net: (count, control[net], *driver.get(net, ("", "input"))) for net, count in pins.items() if net not in clock}
