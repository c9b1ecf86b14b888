// The cycle ledger and the event counters of a run.
//
// Every cycle from the one that accepts start to the one that raises done is in exactly one
// category: active; start before the first row; then what the array's left edge waits for
// (where_i). Cycles after a row are held back until the next row shows that they were not the
// drain; what is held at the end is the drain.
// counters_o shows the finished run from two cycles after run_i falls until the next run ends;
// instructions_o counts while the host watches.
`default_nettype none

module systole_ledger #(
  parameter int Dim      = 16,
  parameter int AxiBytes = 16,
  localparam int ZeroBits = 2 * $clog2(Dim) + 1,
  localparam int Settled  = systole_pkg::CounterInstructions
) (
  input  logic                   clk_i,
  input  logic                   start_i,      // this cycle accepts start
  input  logic                   run_i,        // every later cycle of the run, done included
  input  logic                   active_i,     // a row is issued
  input  logic [2:0]             where_i,      // else: what is waited for, from CounterOutputStall on
  input  logic                   zero_valid_i,
  input  logic [ZeroBits-1:0]    zero_macs_i,
  input  logic                   ub_read_i,    // port B; the array's reads are the active cycles
  input  logic                   ub_write_i,
  input  logic                   weight_i,     // a weight row goes into the array
  input  logic                   acc_read_i,
  input  logic                   gmem0_read_i, // one beat each
  input  logic                   gmem0_write_i,
  input  logic                   gmem1_read_i,
  input  logic                   instruction_i,
  output logic [64*Settled-1:0]  counters_o,    // all but the last
  output logic [63:0]            instructions_o // the last: CounterInstructions
);
  localparam int Waits = 5; // categories from CounterOutputStall to CounterOther

  logic [63:0] cycles_q, active_q, startup_q;
  logic [63:0] wait_q [0:Waits-1];  // settled
  logic [63:0] held_q [0:Waits-1];  // since the last row
  logic [63:0] drain_q;             // their sum
  logic        holding_q;           // some held_q is not zero
  logic        seen_q;              // a row was issued
  logic [63:0] zero_macs_q, ub_reads_q, ub_writes_q, weight_rows_q, acc_reads_q;
  logic [63:0] gmem0_reads_q, gmem0_writes_q, gmem1_reads_q; // beats

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      cycles_q       <= 64'd1;
      startup_q      <= 64'd1;
      active_q       <= '0;
      holding_q      <= 1'b0;
      drain_q        <= '0;
      seen_q         <= 1'b0;
      zero_macs_q    <= '0;
      ub_reads_q     <= '0;
      ub_writes_q    <= '0;
      weight_rows_q  <= '0;
      acc_reads_q    <= '0;
      gmem0_reads_q  <= '0;
      gmem0_writes_q <= '0;
      gmem1_reads_q  <= '0;
      instructions_o <= '0;
      for (int i = 0; i < Waits; i++) begin
        wait_q[i] = '0;
        held_q[i] = '0;
      end
    end else if (run_i) begin
      cycles_q <= cycles_q + 64'd1;
      if (active_i) begin
        active_q <= active_q + 64'd1;
        seen_q   <= 1'b1;
        if (holding_q) begin
          holding_q <= 1'b0;
          drain_q   <= '0;
          for (int i = 0; i < Waits; i++) begin
            wait_q[i] = wait_q[i] + held_q[i];
            held_q[i] = '0;
          end
        end
      end else if (!seen_q) begin
        startup_q <= startup_q + 64'd1;
      end else begin
        holding_q       <= 1'b1;
        drain_q         <= drain_q + 64'd1;
        held_q[where_i] = held_q[where_i] + 64'd1;
      end
      if (zero_valid_i) zero_macs_q <= zero_macs_q + 64'(zero_macs_i);
      // One question for what is rare.
      if (ub_read_i || ub_write_i || weight_i || acc_read_i || gmem0_read_i || gmem0_write_i || gmem1_read_i || instruction_i) begin
        if (ub_read_i) ub_reads_q <= ub_reads_q + 64'd1;
        if (ub_write_i) ub_writes_q <= ub_writes_q + 64'd1;
        if (weight_i) weight_rows_q <= weight_rows_q + 64'd1;
        if (acc_read_i) acc_reads_q <= acc_reads_q + 64'd1;
        if (gmem0_read_i) gmem0_reads_q <= gmem0_reads_q + 64'd1;
        if (gmem0_write_i) gmem0_writes_q <= gmem0_writes_q + 64'd1;
        if (gmem1_read_i) gmem1_reads_q <= gmem1_reads_q + 64'd1;
        if (instruction_i) instructions_o <= instructions_o + 64'd1;
      end
    end
  end

  // The wide register moves once a run.
  logic run_q;
  always_ff @(posedge clk_i) begin
    run_q <= run_i;
    if (run_q && !run_i)
      counters_o <= {gmem1_reads_q * 64'(AxiBytes), gmem0_writes_q * 64'(AxiBytes), gmem0_reads_q * 64'(AxiBytes),
                     acc_reads_q, weight_rows_q, ub_writes_q, active_q + ub_reads_q, zero_macs_q,
                     wait_q[4], wait_q[3], wait_q[2], wait_q[1], wait_q[0],
                     drain_q,
                     startup_q, active_q, cycles_q};
  end

  initial begin
    if (systole_pkg::Counters != 18 || systole_pkg::CounterInstructions != 17 || systole_pkg::CounterOutputStall != 4 || systole_pkg::CounterOther != 8)
      $fatal(1, "systole_ledger: the order above must be that of systole_pkg");
  end
endmodule

`default_nettype wire
