// A clock for units that have nothing to do most of the time.
//
// clk_o follows clk_i in cycles in which enable_i or pin_i is high and rests in the others. enable_i
// comes from registers of clk_i (or of a clock gated from it), pin_i from pins, which stand early in
// the cycle; both are taken at the falling edge, so that they cannot cut a pulse. (Two inputs, as the
// simulator would compute the long expression a second time for its short part.) Whoever computes it raises it in every cycle whose end changes the state
// of its units; tests run every shape with and without gates and compare results and counters.
//
// Gate = 1: simulators skip units without a clock, registers and logic, and silicon saves their
// power. Gate = 0: one clock for all, as FPGAs want it.
`default_nettype none

module systole_clock_gate #(
  parameter int Gate = 1
) (
  input  logic clk_i,
  input  logic enable_i,
  input  logic pin_i,
  output logic clk_o
);
  if (Gate != 0) begin : g_gate
    logic enable_q;
    always_ff @(negedge clk_i) enable_q <= enable_i || pin_i;
    assign clk_o = clk_i & enable_q;
  end else begin : g_wire
    logic unused;
    assign unused = &{1'b0, enable_i, pin_i};
    assign clk_o  = clk_i;
  end

  initial begin
    if (Gate < 0 || Gate > 1) $fatal(1, "systole_clock_gate: Gate must be 0 or 1");
  end
endmodule

`default_nettype wire
