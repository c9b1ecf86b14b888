// Unified buffer, systolic array and accumulators in one clocked process, written for fast
// simulation. Same ports, same values in the same cycles as systole_core_readable; the proof is
// in hw/formal, the lockstep test in tests/rtl.
//
//   acc[row_acc][c] = (row_overwrite ? 0 : acc[row_acc][c]) + sum over r of ub[row_ub][r] * w[r][c]
//
// The readable core moves operands and partial sums through Dim x Dim registers and delivers
// column c after Dim + c + 2 cycles. Nobody can look at an accumulator row before its last
// column has arrived (the owner waits Latency cycles, see systole_matmul), so this core computes
// the whole row at once, as a dot product per column that a C compiler turns into SIMD. That is
// what makes it fast: no partial sum is ever moved (docs/simulation-speed.md has the figures).
//
// Timing, with t the cycle in which row_valid_i is high:
//   t      unified-buffer row read, weight switch decided
//   t + 1  products; accumulator row read
//   t + 2  accumulator row written; zero_macs_o of this row is valid
// The same accumulator row may enter again at t + 2, not at t + 1.
//
// Weights: a tile arrives as Dim consecutive rows (k = 0 first) with weight_valid_i. Its first row
// may come in the cycle in which the tile before it is switched in, and it may be switched in
// Dim cycles after its first row. One tile every Dim cycles is thus possible.
//
// Port B of the unified buffer and the accumulators' read port answer one cycle later and hold their
// data until their next read. There is no back-pressure; the units around take turns.
`include "systole_memory.svh"
`default_nettype none

module systole_core_flat #(
  parameter int Dim     = 16,    // array is Dim x Dim, 2 ... 256, power of two
  parameter int UbRows  = 16384, // unified-buffer rows of Dim bytes, power of two
  parameter int AccRows = 2048,  // accumulator rows of Dim int32, both halves, power of two
  localparam int UbBits   = $clog2(UbRows),
  localparam int AccBits  = $clog2(AccRows),
  localparam int LaneBits = $clog2(Dim),
  localparam int ZeroBits = 2 * LaneBits + 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,

  // A row enters the array.
  input  logic                row_valid_i,
  input  logic [UbBits-1:0]   row_ub_i,        // unified-buffer row that enters
  input  logic [AccBits-1:0]  row_acc_i,       // accumulator row that it is added to
  input  logic                row_overwrite_i, // 1: overwrite instead of add
  input  logic                row_switch_i,    // 1: first row of the next weight tile

  // Weight rows, lane c of the array in bits 8c+7 ... 8c.
  input  logic                weight_valid_i,
  input  logic [8*Dim-1:0]    weight_row_i,

  // Port B of the unified buffer, lane r in bits 8r+7 ... 8r.
  input  logic                ub_enable_i,
  input  logic                ub_write_i,
  input  logic [UbBits-1:0]   ub_row_i,
  input  logic [8*Dim-1:0]    ub_wdata_i,
  output logic [8*Dim-1:0]    ub_rdata_o,

  // Accumulator rows for the activation unit, column c in bits 32c+31 ... 32c.
  input  logic                acc_read_i,
  input  logic [AccBits-1:0]  acc_row_i,
  output logic [32*Dim-1:0]   acc_rdata_o,

  // Products with a zero operand among the Dim * Dim of the row that entered two cycles ago.
  output logic                zero_valid_o,
  output logic [ZeroBits-1:0] zero_macs_o
);
  logic        [7:0]  `SYSTOLE_LANES(ub, UbRows, Dim);
  logic signed [31:0] `SYSTOLE_LANES(acc, AccRows, Dim);
  // [bank][column][row]: a column is contiguous. 16 bits: processors multiply pairs of 16-bit numbers
  // and add the two products in one instruction; 8-bit weights would be widened for every row.
  logic signed [15:0] weight [0:1][0:Dim-1][0:Dim-1];
  logic [LaneBits:0]  zeros [0:1][0:Dim-1];           // zero weights of [bank][row]

  logic [7:0]         act_q [0:Dim-1];     // the row read from the unified buffer
  logic signed [15:0] act16 [0:Dim-1];     // the same, widened
  logic signed [31:0] psum_q [0:Dim-1];
  logic signed [31:0] acc_q [0:Dim-1];     // accumulator row read for the addition
  logic signed [31:0] sum;
  logic [31:0]        zero_sum;
  logic [LaneBits:0]  zero_row;
  logic [8*Dim-1:0]   ub_rdata;
  logic [32*Dim-1:0]  acc_rdata;

  logic                row1_valid_q, row2_valid_q, row1_overwrite_q, row2_overwrite_q;
  logic [AccBits-1:0]  row1_acc_q, row2_acc_q;
  logic                bank_q;             // the bank that computes; the other one is the shadow
  logic                shadow;
  logic [LaneBits-1:0] weight_row_q;       // tile row that arrives next

  // The arrays are private to this process, therefore blocking assignments are safe; outputs are
  // written by non-blocking assignment only. Later stages stand first, so that each sees the
  // values of the cycle before.
  always_ff @(posedge clk_i) begin : p_core
    // t + 2: write the accumulators.
    if (row2_valid_q) begin
      for (int unsigned c = 0; c < Dim; c++)
        `SYSTOLE_LANE(acc, row2_acc_q, c, Dim) `SYSTOLE_WRITE
          (row2_overwrite_q ? 32'sd0 : acc_q[c]) + psum_q[c];
    end

    // t + 1: one dot product a column.
    if (row1_valid_q) begin
      for (int unsigned c = 0; c < Dim; c++)
        acc_q[c] = `SYSTOLE_LANE(acc, row1_acc_q, c, Dim);
      for (int unsigned r = 0; r < Dim; r++)
        act16[r] = 16'($signed(act_q[r]));
      for (int unsigned c = 0; c < Dim; c++) begin
        sum = 32'sd0;
        for (int unsigned r = 0; r < Dim; r++)
          sum = sum + 32'(act16[r]) * 32'(weight[bank_q][c][r]);
        psum_q[c] = sum;
      end
      zero_sum = 32'd0;
      for (int unsigned r = 0; r < Dim; r++)
        zero_sum = zero_sum + ((act_q[r] == 8'd0) ? 32'(Dim) : 32'(zeros[bank_q][r]));
      zero_macs_o <= ZeroBits'(zero_sum);
    end

    // t: read the unified buffer.
    if (row_valid_i) begin
      for (int unsigned r = 0; r < Dim; r++)
        act_q[r] = `SYSTOLE_LANE(ub, row_ub_i, r, Dim);
    end

    // Port B.
    if (ub_enable_i) begin
      if (ub_write_i) begin
        for (int unsigned r = 0; r < Dim; r++)
          `SYSTOLE_LANE(ub, ub_row_i, r, Dim) `SYSTOLE_WRITE ub_wdata_i[8*r +: 8];
      end else begin
        for (int unsigned r = 0; r < Dim; r++)
          ub_rdata[8*r +: 8] = `SYSTOLE_LANE(ub, ub_row_i, r, Dim);
        ub_rdata_o <= ub_rdata;
      end
    end

    // A weight row goes to the bank that does not compute after this cycle.
    if (weight_valid_i) begin
      shadow = row_switch_i ? bank_q : !bank_q;
      zero_row = '0;
      for (int unsigned c = 0; c < Dim; c++) begin
        weight[shadow][c][weight_row_q] = 16'($signed(weight_row_i[8*c +: 8]));
        if (weight_row_i[8*c +: 8] == 8'd0) zero_row = zero_row + 1'b1;
      end
      zeros[shadow][weight_row_q] = zero_row;
    end

    if (acc_read_i) begin
      for (int unsigned c = 0; c < Dim; c++)
        acc_rdata[32*c +: 32] = `SYSTOLE_LANE(acc, acc_row_i, c, Dim);
      acc_rdata_o <= acc_rdata;
    end
  end

  always_ff @(posedge clk_i) begin : p_control
    row1_acc_q       <= row_acc_i;
    row1_overwrite_q <= row_overwrite_i;
    row2_acc_q       <= row1_acc_q;
    row2_overwrite_q <= row1_overwrite_q;
    if (weight_valid_i) weight_row_q <= weight_row_q + 1'b1;
    if (row_switch_i) bank_q <= !bank_q;
    row1_valid_q <= row_valid_i;
    row2_valid_q <= row1_valid_q;
    if (!rst_ni) begin
      row1_valid_q <= 1'b0;
      row2_valid_q <= 1'b0;
      bank_q       <= 1'b0;
      weight_row_q <= '0;
    end
  end

  assign zero_valid_o = row2_valid_q;

  initial begin
    if (Dim < 2 || Dim > 256 || 2**LaneBits != Dim) $fatal(1, "systole_core_flat: Dim must be a power of two, 2 ... 256");
    if (2**UbBits != UbRows) $fatal(1, "systole_core_flat: UbRows must be a power of two");
    if (2**AccBits != AccRows) $fatal(1, "systole_core_flat: AccRows must be a power of two");
  end
endmodule

`default_nettype wire
