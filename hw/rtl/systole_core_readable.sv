// Unified buffer, systolic array of processing elements and accumulators, as a course draws them.
// Same ports, same values in the same cycles as systole_core_flat, whose header states the
// contract. This one is hierarchical and placeable; FPGA builds use it.
//
// With t the cycle of row_valid_i: column c's accumulator is read in t + Dim + c and written in
// t + 1 + Dim + c, addressed lane by lane, so that no triangle of registers straightens the rows.
`default_nettype none

module systole_core_readable #(
  parameter int Dim     = 16,    // array is Dim x Dim, 2 ... 256, power of two
  parameter int UbRows  = 16384, // unified-buffer rows of Dim bytes, power of two
  parameter int AccRows = 2048,  // accumulator rows of Dim int32, both halves, power of two
  localparam int UbBits   = $clog2(UbRows),
  localparam int AccBits  = $clog2(AccRows),
  localparam int LaneBits = $clog2(Dim),
  localparam int PsumBits = 16 + LaneBits,
  localparam int ZeroBits = 2 * LaneBits + 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                row_valid_i,
  input  logic [UbBits-1:0]   row_ub_i,
  input  logic [AccBits-1:0]  row_acc_i,
  input  logic                row_overwrite_i,
  input  logic                row_switch_i,

  input  logic                weight_valid_i,
  input  logic [8*Dim-1:0]    weight_row_i,

  input  logic                ub_enable_i,
  input  logic                ub_write_i,
  input  logic [UbBits-1:0]   ub_row_i,
  input  logic [8*Dim-1:0]    ub_wdata_i,
  output logic [8*Dim-1:0]    ub_rdata_o,

  input  logic                acc_read_i,
  input  logic [AccBits-1:0]  acc_row_i,
  output logic [32*Dim-1:0]   acc_rdata_o,

  output logic                zero_valid_o,
  output logic [ZeroBits-1:0] zero_macs_o
);
  logic [8*Dim-1:0]        act;
  logic [PsumBits*Dim-1:0] psum;
  logic [LaneBits-1:0]     weight_row_q; // tile row that arrives next
  logic                    weight_first;

  systole_unified_buffer #(.Dim(Dim), .Rows(UbRows)) u_unified_buffer (
    .clk_i,
    .a_read_i(row_valid_i), .a_row_i(row_ub_i), .a_data_o(act),
    .b_enable_i(ub_enable_i), .b_write_i(ub_write_i), .b_row_i(ub_row_i),
    .b_data_i(ub_wdata_i), .b_data_o(ub_rdata_o));

  assign weight_first = weight_valid_i && weight_row_q == '0;
  always_ff @(posedge clk_i) begin
    if (weight_valid_i) weight_row_q <= weight_row_q + 1'b1;
    if (!rst_ni) weight_row_q <= '0;
  end

  systole_array #(.Dim(Dim)) u_array (
    .clk_i, .rst_ni,
    .act_i(act), .switch_i(row_switch_i),
    .weight_first_i(weight_first), .weight_i(weight_row_i), .psum_o(psum));

  // What column c does, it does one cycle after column c - 1: one chain of delayed addresses.
  localparam int RowBits = AccBits + 2;
  logic [RowBits-1:0] row [0:Dim-1]; // {valid, overwrite, accumulator row} of column c
  logic [RowBits-1:0] row_delayed;
  systole_delay #(.Width(RowBits), .Cycles(Dim), .Reset(1)) u_row (
    .clk_i, .rst_ni, .data_i({row_valid_i, row_overwrite_i, row_acc_i}), .data_o(row_delayed));
  assign row[0] = row_delayed;

  for (genvar c = 0; c < Dim; c++) begin : g_column
    logic [31:0] data;
    if (c > 0) begin : g_next
      logic [RowBits-1:0] row_q;
      always_ff @(posedge clk_i) begin
        row_q <= row[c-1];
        if (!rst_ni) row_q <= '0;
      end
      assign row[c] = row_q;
    end
    systole_accumulator_lane #(.Rows(AccRows), .PsumBits(PsumBits)) u_lane (
      .clk_i, .rst_ni,
      .add_i(row[c][RowBits-1]), .overwrite_i(row[c][RowBits-2]),
      .add_row_i(row[c][AccBits-1:0]), .psum_i(psum[PsumBits*c +: PsumBits]),
      .read_i(acc_read_i), .read_row_i(acc_row_i), .read_data_o(data));
    assign acc_rdata_o[32*c +: 32] = data;
  end

  systole_zero_count #(.Dim(Dim)) u_zero_count (
    .clk_i, .rst_ni,
    .row_valid_i, .row_switch_i, .act_i(act), .weight_valid_i, .weight_row_i,
    .zero_valid_o, .zero_macs_o);
endmodule

`default_nettype wire
