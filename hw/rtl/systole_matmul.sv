// The array unit: MATMUL instructions -> one row a cycle into the array.
//
//   for r2 < red2, r1 < red1, r0 < red0:              one weight tile for each step
//     for i1 < rows1, i0 < rows0:                     one row a cycle
//       row ub_row + r2 rs2 + r1 rs1 + r0 rs0 + i1 s1 + i0 s0  enters the array,
//       acc[acc_row + i1 rows0 + i0] gets (first step and not accumulate ? 0 : itself) + products
//
// Rate: a row every cycle; steps and instructions follow each other without a gap when the next
// tile is in place and the next instruction's tokens are there. A tile is switched in with its
// first row. One cycle is left between two rows that add to the same accumulator row: the core
// writes a sum one cycle after it has read the old one.
// Latency: row_valid_o one cycle after the decision (registers). All columns of a row are in the
// accumulators Latency cycles after the decision; then the instruction's tokens are given.
// flight_next_o says per half whether a row is on its way to it in the next cycle: the activation
// unit, which keeps it in a register of its own clock, reads the other.
// Errors: a row beyond the unified buffer, accumulator rows beyond AccRows or across the halves
// (detail: the row); the row is not issued.
//
// where_o names the ledger category of this cycle, judged here (see hw/README.md).
`include "systole_assert.svh"
`default_nettype none

module systole_matmul #(
  parameter int Dim       = 16,
  parameter int UbRows    = 16384,
  parameter int AccRows   = 2048,
  localparam int UbBits   = $clog2(UbRows),
  localparam int AccBits  = $clog2(AccRows),
  localparam int UnitBits = systole_pkg::Units,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  logic                 head_valid_i,    // an instruction is at the head of the queue
  input  logic                 head_ready_i,    // ... and its tokens are there
  input  logic [UnitBits-1:0]  head_missing_i,  // units whose tokens are not
  input  logic [InstrBits-1:0] head_i,
  output logic                 accept_o,
  output logic                 done_o,
  output logic [UnitBits-1:0]  give_o,

  input  logic                 tile_ready_i,    // the next tile is in the shadow
  input  logic                 tile_here_i,     // it is there, on its way or in the FIFO
  output logic                 switch_o,        // this cycle's row is the first of its tile

  output logic                 row_valid_o,     // to the core
  output logic [UbBits-1:0]    row_ub_o,
  output logic [AccBits-1:0]   row_acc_o,
  output logic                 row_overwrite_o,
  output logic                 row_switch_o,

  output logic [1:0]           flight_next_o,   // in the next cycle rows are on their way to this half
  output logic                 active_o,        // a row is issued in this cycle
  output logic [2:0]           where_o,         // counter index - CounterOutputStall when not active

  output logic                 ub_error_o,      // one cycle
  output logic                 acc_error_o,     // one cycle
  output logic [31:0]          error_detail_o
);
  localparam int Latency     = 2 * Dim + 3;
  localparam int LatencyBits = $clog2(Latency + 1);

  localparam logic [2:0] WhereOutput = 3'(systole_pkg::CounterOutputStall - systole_pkg::CounterOutputStall);
  localparam logic [2:0] WhereInput  = 3'(systole_pkg::CounterInputStall - systole_pkg::CounterOutputStall);
  localparam logic [2:0] WhereWeight = 3'(systole_pkg::CounterWeightStall - systole_pkg::CounterOutputStall);
  localparam logic [2:0] WhereShift  = 3'(systole_pkg::CounterWeightShift - systole_pkg::CounterOutputStall);
  localparam logic [2:0] WhereOther  = 3'(systole_pkg::CounterOther - systole_pkg::CounterOutputStall);

  // The instruction that is running. What is compared with 1 below is compared when it is written:
  // the decision of a cycle is a handful of flags.
  logic                run_q;
  logic [UnitBits-1:0] give_q;
  logic [15:0]         rows0_q, rows1_q, red0_q, red1_q;
  logic                rows0_one_q, rows1_one_q, red0_one_q, red1_one_q;
  logic [23:0]         stride0_q, stride1_q, red_stride0_q, red_stride1_q, red_stride2_q;
  logic [23:0]         acc_base_q;
  logic                overwrite_q;     // this reduction step overwrites

  // Where it is; counts run down to 1, and a flag says that they are there.
  logic [15:0]         i0_q, i1_q, r0_q, r1_q, r2_q;
  logic                i0_end_q, i1_end_q, r0_end_q, r1_end_q, r2_end_q;
  logic [23:0]         ub_q;            // row that is issued next
  logic [23:0]         line_q;          // start of this turn of the inner row loop
  logic [23:0]         step0_q, step1_q, step2_q; // start of this turn of the reduction loops
  logic [AccBits-1:0]  acc_q;
  logic                first_q;         // the next row is the first of its tile
  logic                ub_bad_q;        // ub_q lies beyond the buffer
  logic                acc_bad_q;       // acc_q has left its half
  logic                again_q;         // the next row adds to the accumulator row of the cycle before

  logic                issue;
  logic                step_end;
  logic                last;
  logic                pending_full;
  logic [23:0]         next_ub;
  logic [23:0]         next_step;

  // Only one instruction is pushed into `pending` at a time: room at a tile's first row is room
  // until its last one.
  assign issue    = run_q && !ub_bad_q && !acc_bad_q && !again_q && (!first_q || (tile_ready_i && !pending_full));
  assign step_end = i0_end_q && i1_end_q;
  assign last     = step_end && r0_end_q && r1_end_q && r2_end_q;
  assign accept_o = head_ready_i && (!run_q || (issue && last));
  assign switch_o = issue && first_q;
  assign active_o = issue;

  function automatic logic beyond(input logic [23:0] row);
    beyond = 32'(row) >= UbRows;
  endfunction

  always_ff @(posedge clk_i) begin : p_rows
    row_valid_o  <= issue;
    row_switch_o <= switch_o;
    if (issue) begin
      row_ub_o        <= ub_q[UbBits-1:0];
      row_acc_o       <= acc_q;
      row_overwrite_o <= overwrite_q;
      first_q         <= 1'b0;
      acc_q           <= acc_q + 1'b1;
      acc_bad_q       <= acc_q[AccBits-2:0] == '1;
      if (!i0_end_q) begin
        i0_q     <= i0_q - 16'd1;
        i0_end_q <= i0_q == 16'd2;
        next_ub  = ub_q + stride0_q;
      end else begin
        i0_q     <= rows0_q;
        i0_end_q <= rows0_one_q;
        if (!i1_end_q) begin
          i1_q     <= i1_q - 16'd1;
          i1_end_q <= i1_q == 16'd2;
          next_ub  = line_q + stride1_q;
        end else begin
          // The next reduction step.
          i1_q        <= rows1_q;
          i1_end_q    <= rows1_one_q;
          first_q     <= 1'b1;
          overwrite_q <= 1'b0;
          acc_q       <= acc_base_q[AccBits-1:0];
          acc_bad_q   <= 1'b0;
          next_step   = !r0_end_q ? step0_q + red_stride0_q :
                        !r1_end_q ? step1_q + red_stride1_q : step2_q + red_stride2_q;
          next_ub     = next_step;
          step0_q     <= next_step;
          if (!r0_end_q) begin
            r0_q     <= r0_q - 16'd1;
            r0_end_q <= r0_q == 16'd2;
          end else begin
            r0_q     <= red0_q;
            r0_end_q <= red0_one_q;
            step1_q  <= next_step;
            if (!r1_end_q) begin
              r1_q     <= r1_q - 16'd1;
              r1_end_q <= r1_q == 16'd2;
            end else begin
              r1_q     <= red1_q;
              r1_end_q <= red1_one_q;
              r2_q     <= r2_q - 16'd1;
              r2_end_q <= r2_q == 16'd2;
              step2_q  <= next_step;
            end
          end
        end
        line_q <= next_ub;
      end
      ub_q     <= next_ub;
      ub_bad_q <= beyond(next_ub);
      if (last) run_q <= 1'b0;
    end
    // Rows of one instruction differ unless it has only one.
    again_q <= issue && step_end && (last ? head_i[systole_pkg::MatmulAccumulateLsb] &&
                                            head_i[systole_pkg::MatmulAccRowLsb +: AccBits] == acc_q
                                          : rows0_one_q && rows1_one_q);
    if (accept_o) begin
      run_q         <= 1'b1;
      first_q       <= 1'b1;
      give_q        <= head_i[systole_pkg::GiveLsb +: UnitBits];
      overwrite_q   <= !head_i[systole_pkg::MatmulAccumulateLsb];
      ub_q          <= head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits];
      ub_bad_q      <= beyond(head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits]);
      line_q        <= head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits];
      step0_q       <= head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits];
      step1_q       <= head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits];
      step2_q       <= head_i[systole_pkg::MatmulUbRowLsb +: systole_pkg::MatmulUbRowBits];
      acc_q         <= head_i[systole_pkg::MatmulAccRowLsb +: AccBits];
      acc_bad_q     <= 32'(head_i[systole_pkg::MatmulAccRowLsb +: systole_pkg::MatmulAccRowBits]) >= AccRows;
      acc_base_q    <= head_i[systole_pkg::MatmulAccRowLsb +: systole_pkg::MatmulAccRowBits];
      i0_q          <= head_i[systole_pkg::MatmulRows0Lsb +: systole_pkg::MatmulRows0Bits];
      i1_q          <= head_i[systole_pkg::MatmulRows1Lsb +: systole_pkg::MatmulRows1Bits];
      rows0_q       <= head_i[systole_pkg::MatmulRows0Lsb +: systole_pkg::MatmulRows0Bits];
      rows1_q       <= head_i[systole_pkg::MatmulRows1Lsb +: systole_pkg::MatmulRows1Bits];
      r0_q          <= head_i[systole_pkg::MatmulRed0Lsb +: systole_pkg::MatmulRed0Bits];
      r1_q          <= head_i[systole_pkg::MatmulRed1Lsb +: systole_pkg::MatmulRed1Bits];
      r2_q          <= head_i[systole_pkg::MatmulRed2Lsb +: systole_pkg::MatmulRed2Bits];
      red0_q        <= head_i[systole_pkg::MatmulRed0Lsb +: systole_pkg::MatmulRed0Bits];
      red1_q        <= head_i[systole_pkg::MatmulRed1Lsb +: systole_pkg::MatmulRed1Bits];
      i0_end_q      <= head_i[systole_pkg::MatmulRows0Lsb +: systole_pkg::MatmulRows0Bits] == 16'd1;
      i1_end_q      <= head_i[systole_pkg::MatmulRows1Lsb +: systole_pkg::MatmulRows1Bits] == 16'd1;
      rows0_one_q   <= head_i[systole_pkg::MatmulRows0Lsb +: systole_pkg::MatmulRows0Bits] == 16'd1;
      rows1_one_q   <= head_i[systole_pkg::MatmulRows1Lsb +: systole_pkg::MatmulRows1Bits] == 16'd1;
      r0_end_q      <= head_i[systole_pkg::MatmulRed0Lsb +: systole_pkg::MatmulRed0Bits] == 16'd1;
      r1_end_q      <= head_i[systole_pkg::MatmulRed1Lsb +: systole_pkg::MatmulRed1Bits] == 16'd1;
      r2_end_q      <= head_i[systole_pkg::MatmulRed2Lsb +: systole_pkg::MatmulRed2Bits] == 16'd1;
      red0_one_q    <= head_i[systole_pkg::MatmulRed0Lsb +: systole_pkg::MatmulRed0Bits] == 16'd1;
      red1_one_q    <= head_i[systole_pkg::MatmulRed1Lsb +: systole_pkg::MatmulRed1Bits] == 16'd1;
      stride0_q     <= head_i[systole_pkg::MatmulRowStride0Lsb +: systole_pkg::MatmulRowStride0Bits];
      stride1_q     <= head_i[systole_pkg::MatmulRowStride1Lsb +: systole_pkg::MatmulRowStride1Bits];
      red_stride0_q <= head_i[systole_pkg::MatmulRedStride0Lsb +: systole_pkg::MatmulRedStride0Bits];
      red_stride1_q <= head_i[systole_pkg::MatmulRedStride1Lsb +: systole_pkg::MatmulRedStride1Bits];
      red_stride2_q <= head_i[systole_pkg::MatmulRedStride2Lsb +: systole_pkg::MatmulRedStride2Bits];
    end
    if (!rst_ni) begin
      run_q        <= 1'b0;
      again_q      <= 1'b0;
      row_valid_o  <= 1'b0;
      row_switch_o <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    ub_error_o  <= rst_ni && run_q && ub_bad_q;
    acc_error_o <= rst_ni && run_q && acc_bad_q && !ub_bad_q;
    if (run_q && (ub_bad_q || acc_bad_q)) error_detail_o <= ub_bad_q ? 32'(ub_q) : 32'(acc_base_q);
  end

  // ---- rows in flight ----------------------------------------------------------------------
  // Cycles until the half's last row has landed.
  logic [LatencyBits-1:0] flight0_q, flight1_q;
  logic                   half;
  assign half = acc_q[AccBits-1];
  assign flight_next_o = {(issue && half) || flight1_q > LatencyBits'(1), (issue && !half) || flight0_q > LatencyBits'(1)};
  always_ff @(posedge clk_i) begin
    if (issue && !half) flight0_q <= LatencyBits'(Latency);
    else if (flight0_q != '0) flight0_q <= flight0_q - 1'b1;
    if (issue && half) flight1_q <= LatencyBits'(Latency);
    else if (flight1_q != '0) flight1_q <= flight1_q - 1'b1;
    if (!rst_ni) begin
      flight0_q <= '0;
      flight1_q <= '0;
    end
  end

  // ---- tokens wait until the last row has landed ---------------------------------------------
  localparam int StampBits   = LatencyBits + 1;
  localparam int PendingBits = UnitBits + StampBits;
  logic [StampBits-1:0]   now_q;
  logic [PendingBits-1:0] pending;
  logic                   pending_empty;
  logic                   pending_pop;
  logic [2:0]             unused_count;
  assign pending_pop = !pending_empty && pending[0 +: StampBits] == now_q;

  systole_fifo #(.Width(PendingBits), .Depth(4)) u_pending (
    .clk_i, .rst_ni, .clear_i(1'b0),
    .push_i(issue && last), .data_i({give_q, now_q + StampBits'(Latency)}), .full_o(pending_full),
    .pop_i(pending_pop), .data_o(pending), .empty_o(pending_empty), .count_o(unused_count));

  always_ff @(posedge clk_i) begin
    now_q  <= now_q + 1'b1;
    done_o <= pending_pop;
    if (pending_pop) give_o <= pending[StampBits +: UnitBits];
    if (!rst_ni) begin
      now_q  <= '0;
      done_o <= 1'b0;
    end
  end

  // ---- the ledger's question: what does the array's left edge wait for? ----------------------
  always_comb begin
    where_o = WhereOther;
    if (run_q) begin
      if (first_q && !tile_ready_i) where_o = tile_here_i ? WhereShift : WhereWeight;
      else if (again_q) where_o = WhereOutput;
    end else if (head_valid_i) begin
      if (head_missing_i[systole_pkg::UnitActivate]) where_o = WhereOutput;
      else if (head_missing_i != '0) where_o = WhereInput;
      else if (!tile_here_i) where_o = WhereWeight;
      else if (!tile_ready_i) where_o = WhereShift;
    end
  end

  `SYSTOLE_ASSERT(RowsOnlyOfARunningInstruction, !issue || run_q)
  `SYSTOLE_ASSERT(NoRowIsAddedToTwiceRunning, !issue || overwrite_q || !row_valid_o || row_acc_o != acc_q)

  initial begin
    if (2**UbBits != UbRows) $fatal(1, "systole_matmul: UbRows must be a power of two");
    if (2**AccBits != AccRows) $fatal(1, "systole_matmul: AccRows must be a power of two");
  end
endmodule

`default_nettype wire
