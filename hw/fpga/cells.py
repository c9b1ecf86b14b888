"""What a cell of a mapped netlist costs: LUTs, and levels of logic on the way through it.

The unit of depth is AMD's: a LUT and the net behind it, budgeted at 0.300 ns in speed grade -2 of
UltraScale+ (0.350 in -1, 0.250 in -3), the figure with which `report_failfast` of Vivado's Tcl
store (XilinxTclStore, tclapp/xilinx/designutils) judges a netlist before it is placed. As there, a
path that starts elsewhere than at a flip-flop has a level more, and one that ends elsewhere than at
a flip-flop's D too. What stands below as `estimate` is ours, on the careful side: clock-to-output
times of memories without output register and the stages of a DSP48E2, in whole levels.
"""

PERIOD_NS = 1000 / 300
LEVEL_NS = 0.300          # published: LUT and net, UltraScale+ -2
UNCERTAINTY_NS = 0.200    # estimate: jitter and the setup time
ALLOWED_LEVELS = int((PERIOD_NS - UNCERTAINTY_NS) / LEVEL_NS)

# LUTs that a memory of LUTs takes (UltraScale CLB guide UG574, chapter 2; 7 series UG474).
LUT_RAM = {"RAM32X1S": 1, "RAM64X1S": 1, "RAM32X2S": 2, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8,
           "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
           "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM64X8SW": 8, "RAM32X16DR8": 8}
SHIFT = {"SRL16E", "SRLC32E", "SRLC16E"}
BLOCK_RAM = {"RAMB18E1": 0.5, "RAMB18E2": 0.5, "RAMB36E1": 1, "RAMB36E2": 1}  # in RAMB36
DSP = {"DSP48E1", "DSP48E2"}
FLIP_FLOPS = {"FDRE", "FDSE", "FDCE", "FDPE"}
WIDE = {"MUXF5", "MUXF6", "MUXF7", "MUXF8", "MUXF9"}  # inside the slice, no net of their own
NONE = {"INV", "BUFG", "IBUF", "OBUF", "VCC", "GND"}  # an inverter goes into the LUT it feeds

CLOCKS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK", "CLKA", "CLKB"}
# Pins that enable, reset or select a whole register, memory or DSP.
CONTROL = {"CE", "R", "S", "CLR", "PRE", "WE", "ENARDEN", "ENBWREN", "WEA", "WEBWE", "EN_A", "EN_B",
           "RDB_WR_A", "RDB_WR_B", "CEA1", "CEA2", "CEB1", "CEB2", "CEM", "CEP", "CEC", "CED", "CEAD",
           "RSTA", "RSTB", "RSTM", "RSTP", "RSTC"}

# Estimates, in levels.
BLOCK_RAM_OUT = 3   # clock to output without output register, about 1 ns
URAM_OUT = 4        # likewise, about 1.3 ns
DSP_MULTIPLY = 3    # operand to product
DSP_ADD = 2         # product or C to P
DSP_PIN = 1         # into or out of the block


def is_lut(kind):
    return kind.startswith("LUT") and kind[3:].isdigit()


def cost(kind):
    """{resource: count} of a cell."""
    if is_lut(kind):
        return {"lut": 1, "logic": 1}
    if kind in LUT_RAM:
        return {"lut": LUT_RAM[kind], "lutram": LUT_RAM[kind]}
    if kind in SHIFT:
        return {"lut": 1, "srl": 1}
    if kind in FLIP_FLOPS:
        return {"ff": 1}
    if kind in DSP:
        return {"dsp": 1}
    if kind in BLOCK_RAM:
        return {"bram": BLOCK_RAM[kind]}
    if kind in ("URAM288", "URAM288_BASE"):
        return {"uram": 1}
    if kind in ("CARRY4", "CARRY8") or kind in WIDE or kind in NONE:
        return {}
    raise ValueError(f"a cell of kind {kind}: hw/fpga/cells.py does not know what it costs")


def constant(parameter):
    """The value of a parameter, which Yosys writes as a string of bits or as a number."""
    text = str(parameter)
    return int(text, 2) if len(text) >= 8 and set(text) <= set("01xz") else int(text or 0)


def arcs(kind, parameters, pins):
    """How signals pass a cell: (starts, ends, through).

    starts  {output pin: levels before it}       a path begins here
    ends    {input pin: levels behind it}        a path ends here
    through [(input pins, output pins, levels)]  combinational
    Pins are names; `pins` holds those that are connected.
    """
    outputs = {p for p, direction in pins.items() if direction == "output"}
    inputs = {p for p, direction in pins.items() if direction == "input"} - CLOCKS
    if kind in FLIP_FLOPS:
        return {p: 0 for p in outputs}, {p: 0 if p == "D" else 1 for p in inputs}, []
    if is_lut(kind):
        return {}, {}, [(inputs, outputs, 1)]
    if kind in WIDE or kind in NONE:
        return {}, {}, [(inputs, outputs, 0)]
    if kind in ("CARRY4", "CARRY8"):
        # A chain counts one level, where it is entered beside the carry.
        chain = inputs & {"CI"}
        return {}, {}, [(inputs - chain, outputs, 1), (chain, outputs, 0)]
    if kind in LUT_RAM or kind in SHIFT:
        written = {p for p in inputs if p.startswith(("D", "WA")) or p in ("WE", "CE")}
        if kind in SHIFT:
            written = inputs & {"D", "CE"}
        elif "WA" not in "".join(inputs) and not kind.endswith("S"):
            # The write address of RAM32M, RAM64M and their wider kin is that of the last port.
            last = max((p for p in inputs if p.startswith("ADDR")), default=None)
            written |= {last} if last else set()
        return {p: 1 for p in outputs}, {p: 1 for p in written}, [(inputs - written, outputs, 1)]
    if kind in BLOCK_RAM:
        registered = {"A": constant(parameters.get("DOA_REG", 0)), "B": constant(parameters.get("DOB_REG", 0))}
        starts = {p: 1 if registered["B" if "B" in p[3:] else "A"] else BLOCK_RAM_OUT for p in outputs}
        return starts, {p: 1 for p in inputs}, []
    if kind.startswith("URAM288"):
        registered = {"A": str(parameters.get("OREG_A", "FALSE")), "B": str(parameters.get("OREG_B", "FALSE"))}
        starts = {p: 1 if registered.get(p[-1]) == "TRUE" else URAM_OUT for p in outputs}
        return starts, {p: 1 for p in inputs}, []
    if kind in DSP:
        return dsp_arcs(parameters, inputs, outputs)
    raise ValueError(f"a cell of kind {kind}: hw/fpga/cells.py does not know its timing")


def dsp_arcs(parameters, inputs, outputs):
    register = {name: constant(parameters.get(name, 0)) > 0 for name in ("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG")}
    multiplies = str(parameters.get("USE_MULT", "MULTIPLY")) != "NONE"
    multiply = DSP_MULTIPLY if multiplies else 0
    starts, ends, through = {}, {}, []
    # From the last register inside to P.
    if register["PREG"]:
        inner_start = DSP_PIN
    elif register["MREG"]:
        inner_start = DSP_ADD + DSP_PIN
    elif register["AREG"] or register["BREG"]:
        inner_start = multiply + DSP_ADD + DSP_PIN
    else:
        inner_start = None
    if inner_start is not None:
        starts = {p: inner_start for p in outputs}
    for p in inputs:
        if p in ("A", "B", "D", "ACIN", "BCIN"):
            held = register["AREG"] if p in ("A", "ACIN") else register["BREG"] if p in ("B", "BCIN") else register["DREG"]
            if held:
                ends[p] = DSP_PIN
            elif register["MREG"]:
                ends[p] = DSP_PIN + multiply
            elif register["PREG"]:
                ends[p] = DSP_PIN + multiply + DSP_ADD
            else:
                through.append(({p}, outputs, DSP_PIN + multiply + DSP_ADD))
        elif p in ("C", "PCIN"):
            pin = 0 if p == "PCIN" else DSP_PIN
            if p == "C" and register["CREG"]:
                ends[p] = DSP_PIN
            elif register["PREG"]:
                ends[p] = pin + DSP_ADD
            else:
                through.append(({p}, outputs, pin + DSP_ADD))
        else:
            ends[p] = DSP_PIN  # operation modes, enables, resets
    return starts, ends, through
