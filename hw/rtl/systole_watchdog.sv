// Ends runs in which nothing moves: timeout_o after Cycles cycles without progress_i and beat_i, which
// are looked at a cycle late and apart, since they come from everywhere.
// timeout_o is one cycle; counting starts anew with each of them and while run_i is low.
`default_nettype none

module systole_watchdog #(
  parameter int Cycles = 65536 // at least 16
) (
  input  logic clk_i,
  input  logic run_i,
  input  logic progress_i,
  input  logic beat_i,
  output logic timeout_o
);
  localparam int Bits = $clog2(Cycles + 1);
  logic            moved_q, beat_q; // progress_i, beat_i of the cycle before
  logic [Bits-1:0] still_q;         // cycles without progress

  always_ff @(posedge clk_i) begin
    moved_q   <= progress_i;
    beat_q    <= beat_i;
    timeout_o <= 1'b0;
    if (moved_q || beat_q || !run_i || timeout_o) begin
      still_q <= '0;
    end else begin
      still_q   <= still_q + 1'b1;
      timeout_o <= still_q == Bits'(Cycles - 1);
    end
  end

  initial begin
    if (Cycles < 16) $fatal(1, "systole_watchdog: Cycles must be at least 16");
  end
endmodule

`default_nettype wire
