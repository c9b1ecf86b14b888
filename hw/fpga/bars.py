"""What a build for an FPGA must keep to, whatever is changed; scripts/synth --check applies it."""

# A memory of more bits than this must become RAM: more of it in flip-flops is a memory with a port
# too many, which simulation does not notice.
MEMORY_BITS = 1024


def broken(figures):
    """Sentences, one for each bar that the figures are beyond."""
    said = []
    where = f"Dim {figures['dim']}, {figures['family']}"
    dsp = figures["per_mac"]["array"]["dsp"]
    if dsp > 1:
        said.append(f"{where}: the array takes {dsp:.2f} DSP a MAC; the bar is 1")
    for memory, bits in figures["memories_as_flip_flops"].items():
        if bits > MEMORY_BITS:
            said.append(f"{where}: the memory {memory} became {bits} flip-flops; the bar is {MEMORY_BITS}")
    for net in figures["loops"]:
        said.append(f"{where}: combinational loop through {net}")
    return said
