"""What a build for an FPGA must keep to, whatever is changed; scripts/synth --check applies it."""

# A memory of more bits than this must become RAM: more of it in flip-flops is a memory with a port
# too many, which simulation does not notice.
MEMORY_BITS = 1024

# Meant to be registers, with the reason.
REGISTERS = {"systole_activate shift_m": "a shift for every column, all of them read in each cycle"}

# LUTs a MAC of the plain array in 7 series, where Yosys puts adder and registers into the DSP; the
# best open generator found is at 33 (with 0.25 DSP at twice the clock).
ARRAY_LUTS = 10

# Pins on an enable, a switch or a reset inside the array: a register of 17 bits and the next element.
# The worst path of open generators is exactly such a net, a weight-load enable with 2,779 pins.
ARRAY_FAN_OUT = 24


def broken(figures):
    """Sentences, one for each bar that the figures are beyond."""
    said = []
    dim = figures["dim"]
    where = f"Dim {dim}, {figures['family']}"
    array = figures["per_mac"].get("array")
    blocks = figures["blocks"]
    if array:
        packed = figures["parameters"].get("PackedDsp", 0)
        bar = 0.5 if packed else 1
        if array["dsp"] > bar:
            said.append(f"{where}: the array takes {array['dsp']:.2f} DSP a MAC; the bar is {bar}")
        if figures["family"] == "xc7" and not packed and array["lut"] > ARRAY_LUTS:
            said.append(f"{where}: the array takes {array['lut']:.1f} LUT a MAC; the bar is {ARRAY_LUTS}")
        for net in blocks["array"]["control_fan_out"]:
            if net["pins"] > ARRAY_FAN_OUT:
                said.append(f"{where}: {net['net']} of the array has {net['pins']} pins; the bar is {ARRAY_FAN_OUT}")
    # 7 series has no grade that the rule was made for.
    if figures["family"] == "xcup":
        for name, block in blocks.items():
            if block["levels"] > figures["allowed_levels"]:
                path = block["paths"][0]
                said.append(f"{where}: {name} has {block['levels']} levels of logic, from {path['from']} to {path['to']}; "
                            f"the bar is {figures['allowed_levels']}")
    for memory, bits in figures["memories_as_flip_flops"].items():
        if bits > MEMORY_BITS and memory not in REGISTERS:
            said.append(f"{where}: the memory {memory} became {bits} flip-flops; the bar is {MEMORY_BITS}")
    for net in figures["loops"]:
        said.append(f"{where}: combinational loop through {net}")
    return said
