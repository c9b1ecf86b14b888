// Unified buffer, systolic array of processing elements and accumulators, as a course draws them.
// Same ports and values as systole_core_flat, whose header states the contract. This one is
// hierarchical and placeable; FPGA builds use it. PackedDsp puts two columns into one DSP48, which
// halves their number; the drawing stays.
//
// With t the cycle of row_valid_i, column c's accumulator is read in t + Dim + 2 + c and written in the
// next cycle (packed: columns 2p and 2p + 1 in t + Dim + 3 + p), addressed lane by lane, so that no
// triangle of registers straightens the rows. The last sum is there before t + 2 Dim + 3, when
// systole_matmul lets the activation unit look. zero_macs_o comes Dim + 3 cycles after its row: only
// the ledger's sum sees it.
`default_nettype none

module systole_core_readable #(
  parameter int Dim     = 16,    // array is Dim x Dim, 2 ... 256, power of two
  parameter int UbRows  = 16384, // unified-buffer rows of Dim bytes, power of two
  parameter int AccRows = 2048,  // accumulator rows of Dim int32, both halves, power of two
  // 0: a DSP48 a processing element. 8, for DSP48E2, or 2, for DSP48E1: one for two elements, and
  // sums leave the DSPs after so many rows (systole_pe_pair says why).
  parameter int PackedDsp = 0,
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

  // Weights and the switch wait a cycle for the activations, which the unified buffer reads.
  logic [8*Dim-1:0] weight_q;
  logic             switch_q;
  always_ff @(posedge clk_i) begin
    if (weight_valid_i) weight_row_q <= weight_row_q + 1'b1;
    weight_first <= weight_valid_i && weight_row_q == '0;
    weight_q     <= weight_row_i;
    switch_q     <= row_switch_i;
    if (!rst_ni) weight_row_q <= '0;
  end

  if (PackedDsp == 0) begin : g_plain
    systole_array #(.Dim(Dim)) u_array (
      .clk_i, .act_i(act), .switch_i(switch_q),
      .weight_first_i(weight_first), .weight_i(weight_q), .psum_o(psum));
  end else begin : g_packed
    systole_array_packed #(.Dim(Dim), .ChainRows(PackedDsp)) u_array (
      .clk_i, .act_i(act), .switch_i(switch_q),
      .weight_first_i(weight_first), .weight_i(weight_q), .psum_o(psum));
  end

  // What columns do, they do one cycle after their left neighbours (packed: pairs of them): one chain
  // of delayed addresses, and of valid bits, which alone are reset.
  localparam int Together = (PackedDsp == 0) ? 1 : 2; // columns whose sums come in one cycle
  localparam int Ahead    = (PackedDsp == 0) ? Dim + 2 : Dim + 3;
  localparam int RowBits  = AccBits + 1;
  logic [RowBits-1:0]    row [0:Dim/Together-1]; // {overwrite, accumulator row}
  logic [Dim/Together-1:0] add;                  // they are valid
  logic [RowBits-1:0]    row_delayed;
  systole_delay #(.Width(RowBits), .Cycles(Ahead)) u_row (
    .clk_i, .rst_ni(1'b1), .data_i({row_overwrite_i, row_acc_i}), .data_o(row_delayed));
  systole_delay #(.Width(1), .Cycles(Ahead), .Reset(1)) u_add (
    .clk_i, .rst_ni, .data_i(row_valid_i), .data_o(add[0]));
  assign row[0] = row_delayed;

  for (genvar c = 0; c < Dim; c++) begin : g_column
    localparam int G = c / Together;
    logic [31:0] data;
    if (c % Together == 0 && c > 0) begin : g_next
      logic [RowBits-1:0] row_q;
      logic               add_q;
      always_ff @(posedge clk_i) begin
        row_q <= row[G-1];
        add_q <= add[G-1];
        if (!rst_ni) add_q <= 1'b0;
      end
      assign row[G] = row_q;
      assign add[G] = add_q;
    end
    systole_accumulator_lane #(.Rows(AccRows), .PsumBits(PsumBits)) u_lane (
      .clk_i, .rst_ni,
      .add_i(add[G]), .overwrite_i(row[G][RowBits-1]),
      .add_row_i(row[G][AccBits-1:0]), .psum_i(psum[PsumBits*c +: PsumBits]),
      .read_i(acc_read_i), .read_row_i(acc_row_i), .read_data_o(data));
    assign acc_rdata_o[32*c +: 32] = data;
  end

  systole_zero_count #(.Dim(Dim)) u_zero_count (
    .clk_i, .rst_ni,
    .row_valid_i, .row_switch_i, .act_i(act), .weight_valid_i, .weight_row_i,
    .zero_valid_o, .zero_macs_o);

  initial begin
    if (PackedDsp != 0 && PackedDsp != 1 && PackedDsp != 2 && PackedDsp != 4 && PackedDsp != 8) $fatal(1, "systole_core_readable: PackedDsp must be 0, 1, 2, 4 or 8");
  end
endmodule

`default_nettype wire
