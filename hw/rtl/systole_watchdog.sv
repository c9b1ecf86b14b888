// Ends runs in which nothing moves: timeout_o after Cycles cycles without progress_i, which is looked
// at a cycle late, since it comes from everywhere.
// timeout_o is one cycle; counting starts anew with each progress_i and while run_i is low.
`default_nettype none

module systole_watchdog #(
  parameter int Cycles = 65536 // at least 16
) (
  input  logic clk_i,
  input  logic run_i,
  input  logic progress_i,
  output logic timeout_o
);
  localparam int Bits = $clog2(Cycles + 1);
  logic            moved_q; // progress_i of the cycle before
  logic [Bits-1:0] still_q; // cycles without progress

  always_ff @(posedge clk_i) begin
    moved_q   <= progress_i || !run_i;
    still_q   <= (run_i && !moved_q && !timeout_o) ? still_q + 1'b1 : '0;
    timeout_o <= run_i && !moved_q && still_q == Bits'(Cycles - 1);
  end

  initial begin
    if (Cycles < 16) $fatal(1, "systole_watchdog: Cycles must be at least 16");
  end
endmodule

`default_nettype wire
