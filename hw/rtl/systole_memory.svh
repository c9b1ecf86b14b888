// Memories of lanes, declared so that every tool sees what it handles best: Verilator turns
// [rows][lanes] into loops that become SIMD, Yosys makes block RAM from one dimension only, and
// only of non-blocking writes (which Verilator refuses in loops; the process that owns the memory
// reads a row and writes another, so that both kinds of assignment mean the same).
`ifndef SYSTOLE_MEMORY_SVH
`define SYSTOLE_MEMORY_SVH

`ifdef YOSYS
`define SYSTOLE_LANES(name, rows, lanes) name [0:(rows)*(lanes)-1]
`define SYSTOLE_LANE(name, row, lane, lanes) name[{row, $clog2(lanes)'(lane)}]
`define SYSTOLE_WRITE <=
`else
`define SYSTOLE_LANES(name, rows, lanes) name [0:(rows)-1][0:(lanes)-1]
`define SYSTOLE_LANE(name, row, lane, lanes) name[row][lane]
`define SYSTOLE_WRITE =
`endif

`endif
