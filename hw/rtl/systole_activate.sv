// The activation unit: ACTIVATE instructions, accumulators -> int8 in the unified buffer, or raw
// int32 to the store unit.
//
//   x = acc + (bias ? column bias : 0)                             wraps modulo 2^32
//   raw:  x
//   int8: clamp(round_half_to_even(x * multiplier / 2^shift) + zero_point, low, high)
//
// One C statement of it is host/engine/epilogue.c.
//
// Rate: a row a cycle. Latency from the read of an accumulator row: 2 cycles to raw_valid_o,
// 4 to ub_valid_o. The whole pipeline stands still while its output is not taken; it reads no
// accumulator row from a half into which rows are on their way (flight_i). The next instruction
// starts when the pipeline is empty.
// Done: tokens are given in the cycle after the last row was taken.
// Errors: a row beyond the unified buffer, accumulator rows beyond AccRows or across the halves
// (detail: the row).
`include "systole_assert.svh"
`default_nettype none

module systole_activate #(
  parameter int Dim       = 16,
  parameter int UbRows    = 16384,
  parameter int AccRows   = 2048,
  parameter int AxiBytes  = 16,
  localparam int UbBits   = $clog2(UbRows),
  localparam int AccBits  = $clog2(AccRows),
  localparam int UnitBits = systole_pkg::Units,
  localparam int BeatBits = $clog2(8 * Dim / AxiBytes) + 1,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  head_valid_i, // head of this unit's queue, its tokens present
  input  logic [InstrBits-1:0]  head_i,
  output logic                  accept_o,
  output logic                  done_o,
  output logic [UnitBits-1:0]   give_o,

  input  logic                  param_valid_i,
  input  logic                  param_bank_i,
  input  logic [BeatBits-1:0]   param_beat_i,
  input  logic [8*AxiBytes-1:0] param_data_i,

  input  logic [1:0]            flight_i,
  output logic                  acc_read_o,
  output logic [AccBits-1:0]    acc_row_o,
  input  logic [32*Dim-1:0]     acc_rdata_i,   // one cycle after acc_read_o, held

  output logic                  raw_valid_o,
  input  logic                  raw_ready_i,
  output logic [32*Dim-1:0]     raw_data_o,

  output logic                  ub_valid_o,
  input  logic                  ub_grant_i,
  output logic [UbBits-1:0]     ub_row_o,
  output logic [8*Dim-1:0]      ub_data_o,

  output logic                  ub_error_o,    // one cycle
  output logic                  acc_error_o,   // one cycle
  output logic [31:0]           error_detail_o,
  output logic                  wake_o,        // this cycle may change something here
  output logic                  busy_o
);
  // ---- the instruction that is running -------------------------------------------------------
  logic                run_q;
  logic [UnitBits-1:0] give_q;
  logic                raw_q, bank_q, bias_q;
  logic signed [7:0]   zero_point_q, low_q, high_q;
  logic [23:0]         acc_base_q;
  logic [24:0]         acc_q;
  logic [31:0]         reads_left_q;
  logic [15:0]         rows0_q, i0_q;
  logic [31:0]         outs_left_q;   // rows still to be taken
  logic [23:0]         stride0_q, stride1_q, row_q, line_q;
  logic                acc_bad;
  logic                ub_bad;
  logic                stall;
  logic                read;
  logic                taken;
  logic                valid1_q, valid2_q, valid3_q, valid4_q;
  logic [31:0]         rows;

  assign rows     = 32'(head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits]) *
                    32'(head_i[systole_pkg::ActivateRows1Lsb +: systole_pkg::ActivateRows1Bits]);
  assign accept_o = head_valid_i && !run_q;
  assign acc_bad  = 32'(acc_q) >= AccRows || acc_q[AccBits-1] != acc_base_q[AccBits-1];
  assign ub_bad   = 32'(row_q) >= UbRows;
  assign stall    = (ub_valid_o && !ub_grant_i) || (raw_valid_o && !raw_ready_i);
  assign read     = run_q && reads_left_q != 32'd0 && !flight_i[acc_q[AccBits-1]] && !stall && !acc_bad;
  assign taken    = (ub_valid_o && ub_grant_i) || (raw_valid_o && raw_ready_i);

  assign acc_read_o = read;
  assign acc_row_o  = acc_q[AccBits-1:0];
  assign ub_valid_o = valid4_q && !ub_bad;
  assign ub_row_o   = row_q[UbBits-1:0];

  always_ff @(posedge clk_i) begin
    done_o      <= 1'b0;
    ub_error_o  <= valid4_q && ub_bad;
    acc_error_o <= run_q && reads_left_q != 32'd0 && acc_bad;
    if (valid4_q && ub_bad) error_detail_o <= 32'(row_q);
    else if (acc_bad) error_detail_o <= 32'(acc_base_q);
    if (accept_o) begin
      run_q        <= 1'b1;
      give_q       <= head_i[systole_pkg::GiveLsb +: UnitBits];
      raw_q        <= head_i[systole_pkg::ActivateRawLsb];
      bank_q       <= head_i[systole_pkg::ActivateBankLsb];
      bias_q       <= head_i[systole_pkg::ActivateBiasLsb];
      zero_point_q <= head_i[systole_pkg::ActivateZeroPointLsb +: systole_pkg::ActivateZeroPointBits];
      low_q        <= head_i[systole_pkg::ActivateClampLowLsb +: systole_pkg::ActivateClampLowBits];
      high_q       <= head_i[systole_pkg::ActivateClampHighLsb +: systole_pkg::ActivateClampHighBits];
      acc_base_q   <= head_i[systole_pkg::ActivateAccRowLsb +: systole_pkg::ActivateAccRowBits];
      acc_q        <= 25'(head_i[systole_pkg::ActivateAccRowLsb +: systole_pkg::ActivateAccRowBits]);
      reads_left_q <= rows;
      outs_left_q  <= rows;
      rows0_q      <= head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits];
      i0_q         <= head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits];
      row_q        <= head_i[systole_pkg::ActivateUbRowLsb +: systole_pkg::ActivateUbRowBits];
      line_q       <= head_i[systole_pkg::ActivateUbRowLsb +: systole_pkg::ActivateUbRowBits];
      stride0_q    <= head_i[systole_pkg::ActivateUbStride0Lsb +: systole_pkg::ActivateUbStride0Bits];
      stride1_q    <= head_i[systole_pkg::ActivateUbStride1Lsb +: systole_pkg::ActivateUbStride1Bits];
    end
    if (read) begin
      acc_q        <= acc_q + 25'd1;
      reads_left_q <= reads_left_q - 32'd1;
    end
    if (taken) begin
      outs_left_q <= outs_left_q - 32'd1;
      if (outs_left_q == 32'd1) begin
        run_q  <= 1'b0;
        done_o <= 1'b1;
        give_o <= give_q;
      end
      if (i0_q != 16'd1) begin
        i0_q  <= i0_q - 16'd1;
        row_q <= row_q + stride0_q;
      end else begin
        i0_q   <= rows0_q;
        row_q  <= line_q + stride1_q;
        line_q <= line_q + stride1_q;
      end
    end
    if (!stall) begin
      valid1_q    <= read;
      raw_valid_o <= valid1_q && raw_q;
      valid2_q    <= valid1_q && !raw_q;
      valid3_q    <= valid2_q;
      valid4_q    <= valid3_q;
    end
    if (!rst_ni) begin
      run_q       <= 1'b0;
      done_o      <= 1'b0;
      valid1_q    <= 1'b0;
      valid2_q    <= 1'b0;
      valid3_q    <= 1'b0;
      valid4_q    <= 1'b0;
      raw_valid_o <= 1'b0;
      ub_error_o  <= 1'b0;
      acc_error_o <= 1'b0;
    end
  end

  // ---- the lanes -----------------------------------------------------------------------------
  // Private to this process, later stages first; see systole_core_flat for the reason.
  // Products are written with 64 bits, of which 49 are used: that is a lane of the simulator's
  // SIMD, and synthesis trims the rest.
  logic signed [31:0] bias_m  [0:1][0:Dim-1];
  logic signed [63:0] scale_m [0:1][0:Dim-1];
  logic        [63:0] shift_m [0:1][0:Dim-1];
  logic signed [31:0] biased [0:Dim-1];
  logic signed [63:0] scaled [0:Dim-1];
  logic signed [63:0] rounded [0:Dim-1];
  logic signed [63:0] moved;
  logic [8*Dim-1:0]   row;
  logic [32*Dim-1:0]  raw_row;

  // Half to even: half an ulp less one is added, and one more when the quotient is odd.
  function automatic logic signed [63:0] round_shift(input logic signed [63:0] value,
                                                     input logic [63:0] shift);
    logic [63:0] half;
    half = (64'd1 << shift) >> 1;
    round_shift = (value + $signed(half - {63'd0, shift != 64'd0}) +
                   $signed((shift != 64'd0) ? ((value >>> shift) & 64'sd1) : 64'sd0)) >>> shift;
  endfunction

  always_ff @(posedge clk_i) begin : p_lanes
    if (!stall) begin
      if (valid3_q) begin
        for (int unsigned c = 0; c < Dim; c++) begin
          moved = rounded[c] + 64'(zero_point_q);
          row[8*c +: 8] = (moved < 64'(low_q)) ? low_q : (moved > 64'(high_q)) ? high_q : moved[7:0];
        end
        ub_data_o <= row;
      end
      if (valid2_q) begin
        for (int unsigned c = 0; c < Dim; c++) begin
          scaled[c]  = 64'(biased[c]) * scale_m[bank_q][c];
          rounded[c] = round_shift(scaled[c], shift_m[bank_q][c]);
        end
      end
      if (valid1_q) begin
        for (int unsigned c = 0; c < Dim; c++)
          biased[c] = $signed(acc_rdata_i[32*c +: 32]) + (bias_q ? bias_m[bank_q][c] : 32'sd0);
        if (raw_q) begin
          for (int unsigned c = 0; c < Dim; c++) raw_row[32*c +: 32] = biased[c];
          raw_data_o <= raw_row;
        end
      end
    end
  end

  // ---- column parameters ---------------------------------------------------------------------
  localparam int MulAt   = systole_pkg::ParamMultiplierLsb;
  localparam int MulBits = systole_pkg::ParamMultiplierBits;
  localparam int ShiftAt = systole_pkg::ParamShiftLsb;
  localparam int ShBits  = systole_pkg::ParamShiftBits;
  if (AxiBytes >= 8) begin : g_columns
    localparam int Columns = AxiBytes / 8; // parameter blocks a beat
    always_ff @(posedge clk_i) begin : p_params
      if (param_valid_i) begin
        for (int unsigned i = 0; i < Columns; i++) begin
          bias_m[param_bank_i][32'(param_beat_i) * Columns + i] = $signed(param_data_i[64*i +: 32]);
          scale_m[param_bank_i][32'(param_beat_i) * Columns + i] = 64'($signed(param_data_i[64*i + MulAt +: MulBits]));
          shift_m[param_bank_i][32'(param_beat_i) * Columns + i] = 64'(param_data_i[64*i + ShiftAt +: ShBits]);
        end
      end
    end
  end else begin : g_half_columns
    always_ff @(posedge clk_i) begin : p_params
      if (param_valid_i) begin
        if (param_beat_i[0]) begin
          scale_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = 64'($signed(param_data_i[MulAt-32 +: MulBits]));
          shift_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = 64'(param_data_i[ShiftAt-32 +: ShBits]);
        end else begin
          bias_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = $signed(param_data_i);
        end
      end
    end
  end

  assign wake_o = accept_o || busy_o || param_valid_i || ub_error_o || acc_error_o;
  assign busy_o = run_q || done_o;

  `SYSTOLE_ASSERT(RawRowsOnlyFromRawInstructions, !raw_valid_o || raw_q)

  initial begin
    if (2**UbBits != UbRows) $fatal(1, "systole_activate: UbRows must be a power of two");
    if (2**AccBits != AccRows) $fatal(1, "systole_activate: AccRows must be a power of two");
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_activate: AxiBytes must be 4 ... 64 and at most 2 Dim");
  end
endmodule

`default_nettype wire
