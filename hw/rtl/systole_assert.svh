// Assertions in the one form that Verilator, Icarus, Yosys and Vivado accept.
//
// An assertion is an immediate assert in a clocked block whose label is a sentence. It holds in
// every cycle outside reset (the module must have clk_i and rst_ni). Synthesis drops them:
// Vivado and Yosys define SYNTHESIS, Yosys in formal mode defines FORMAL and keeps them.
// (always, not always_ff: Icarus warns about a system task in the latter.)
// State that only an assertion reads stands inside `ifdef SYSTOLE_ASSERTIONS.
`ifndef SYSTOLE_ASSERT_SVH
`define SYSTOLE_ASSERT_SVH

`ifdef FORMAL
`define SYSTOLE_ASSERTIONS
`else
`ifndef SYNTHESIS
`define SYSTOLE_ASSERTIONS
`endif
`endif

`ifdef SYSTOLE_ASSERTIONS

// `cond` is true at every clock edge outside reset.
`define SYSTOLE_ASSERT(label, cond) \
  always @(posedge clk_i) begin : label \
    if (rst_ni) assert (cond); \
  end

// The handshake rule: once `valid` is up and `ready` is not, the next cycle shows the same
// `payload` (`bits` wide) with `valid` still up. Put a reason to give up into `ready`.
`define SYSTOLE_ASSERT_HOLDS(label, valid, ready, payload, bits) \
  if (1) begin : label \
    logic waits_q; \
    logic [(bits)-1:0] payload_q; \
    initial waits_q = 1'b0; \
    always @(posedge clk_i) begin \
      waits_q <= rst_ni && (valid) && !(ready); \
      if (valid) payload_q <= (payload); \
      if (rst_ni && waits_q) assert ((valid) && (payload) == payload_q); \
    end \
  end

`else

`define SYSTOLE_ASSERT(label, cond)
`define SYSTOLE_ASSERT_HOLDS(label, valid, ready, payload, bits)

`endif

`endif
