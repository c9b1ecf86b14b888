// The readable and the flat core under the same inputs: equal outputs in every cycle, for every
// input that keeps the contract in the head of systole_core_flat. The assumptions below are that
// contract, rule by rule; systole_matmul and the units around it are what keeps it in the kernel,
// which leaves some cycles more between a row and the reading of its half.
// Memories start with the same content in both: all zeros.
`default_nettype none

module systole_core_equal #(
    parameter int Dim = 2,
    parameter int UbRows = 2,
    parameter int AccRows = 4,
    parameter int Bits = 8,  // operands are all numbers of this many bits; 8 is what there is
    parameter int PackedDsp = 0,  // of the readable core
    localparam int UbBits = $clog2(UbRows),
    localparam int AccBits = $clog2(AccRows),
    localparam int ZeroBits = 2 * $clog2(Dim) + 1
) (
    input logic               clk_i,
    input logic               row_valid_i,
    input logic [UbBits-1:0]  row_ub_i,
    input logic [AccBits-1:0] row_acc_i,
    input logic               row_overwrite_i,
    input logic               row_switch_i,
    input logic               weight_valid_i,
    input logic [Bits*Dim-1:0] weight_i,
    input logic               ub_enable_i,
    input logic               ub_write_i,
    input logic [UbBits-1:0]  ub_row_i,
    input logic [Bits*Dim-1:0] operands_i,
    input logic               acc_read_i,
    input logic [AccBits-1:0] acc_row_i
);
  // Cycles after a row's entrance in which its accumulator half must not be read.
  localparam int Latency = 2 * Dim + 2;
  // Cycles by which the readable core counts zero operands later than the flat one.
  localparam int ZerosLater = Dim + 1;

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic [8*Dim-1:0] weight_row_i, ub_wdata_i;
  for (genvar l = 0; l < Dim; l++) begin : g_lane
    assign weight_row_i[8*l +: 8] = 8'($signed(weight_i[Bits*l +: Bits]));
    assign ub_wdata_i[8*l +: 8]   = 8'($signed(operands_i[Bits*l +: Bits]));
  end

  logic [8*Dim-1:0]    ub_rdata_flat, ub_rdata_readable;
  logic [32*Dim-1:0]   acc_rdata_flat, acc_rdata_readable;
  logic                zero_valid_flat, zero_valid_readable;
  logic [ZeroBits-1:0] zero_macs_flat, zero_macs_readable;

  systole_core_flat #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows)) u_flat (
      .clk_i, .rst_ni, .row_valid_i, .row_ub_i, .row_acc_i, .row_overwrite_i, .row_switch_i,
      .weight_valid_i, .weight_row_i, .ub_enable_i, .ub_write_i, .ub_row_i, .ub_wdata_i,
      .ub_rdata_o(ub_rdata_flat), .acc_read_i, .acc_row_i, .acc_rdata_o(acc_rdata_flat),
      .zero_valid_o(zero_valid_flat), .zero_macs_o(zero_macs_flat));

  systole_core_readable #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows), .PackedDsp(PackedDsp)) u_readable (
      .clk_i, .rst_ni, .row_valid_i, .row_ub_i, .row_acc_i, .row_overwrite_i, .row_switch_i,
      .weight_valid_i, .weight_row_i, .ub_enable_i, .ub_write_i, .ub_row_i, .ub_wdata_i,
      .ub_rdata_o(ub_rdata_readable), .acc_read_i, .acc_row_i, .acc_rdata_o(acc_rdata_readable),
      .zero_valid_o(zero_valid_readable), .zero_macs_o(zero_macs_readable));

  // ---- the contract -----------------------------------------------------------------------
  // Rows of the tile that arrives; cycles since its first row, up to Dim; whether a tile waits in
  // the shadow (or is on its way there); whether any tile was ever switched in.
  int   rows_q;
  int   age_q;
  logic waiting_q;
  logic switched_q;
  logic last_valid_q;
  logic acc_known_q; // an accumulator row was read: it is there until the next one is
  logic [AccBits-1:0] last_acc_q;
  int   quiet_q [0:1]; // cycles since a row entered for accumulator half h, up to Latency
  initial begin
    rows_q       = 0;
    age_q        = 0;
    waiting_q    = 1'b0;
    switched_q   = 1'b0;
    last_valid_q = 1'b0;
    acc_known_q  = 1'b0;
    quiet_q[0]   = Latency;
    quiet_q[1]   = Latency;
  end

  always_ff @(posedge clk_i) begin
    if (weight_valid_i) rows_q <= rows_q == Dim - 1 ? 0 : rows_q + 1;
    if (weight_valid_i && rows_q == 0) age_q <= 1;
    else if (age_q < Dim) age_q <= age_q + 1;
    if (weight_valid_i && rows_q == 0) waiting_q <= 1'b1;
    else if (row_switch_i) waiting_q <= 1'b0;
    if (row_switch_i) switched_q <= 1'b1;
    last_valid_q <= row_valid_i;
    if (acc_read_i) acc_known_q <= 1'b1;
    last_acc_q   <= row_acc_i;
    for (int h = 0; h < 2; h++) begin
      if (row_valid_i && row_acc_i[AccBits-1] == 1'(h)) quiet_q[h] <= 0;
      else if (quiet_q[h] < Latency) quiet_q[h] <= quiet_q[h] + 1;
    end
  end

  always @* begin
    if (!rst_ni) begin
      assume (!row_valid_i && !row_switch_i && !weight_valid_i && !ub_enable_i && !acc_read_i);
    end
    // Tiles come as Dim rows in a row, the first one not before the shadow is free.
    if (rows_q != 0) assume (weight_valid_i);
    if (rows_q == 0 && waiting_q && !row_switch_i) assume (!weight_valid_i);
    // A tile is switched in with a row, Dim cycles after its first row at the earliest; the first
    // row of all switches a tile in.
    if (row_switch_i) assume (row_valid_i && waiting_q && age_q == Dim);
    if (row_valid_i) assume (switched_q || row_switch_i);
    // An accumulator row does not enter in two cycles running.
    if (row_valid_i && last_valid_q) assume (row_acc_i != last_acc_q);
    // Accumulators are read when no row is on its way into their half.
    if (acc_read_i) begin
      assume (quiet_q[acc_row_i[AccBits-1]] == Latency);
      assume (!row_valid_i || row_acc_i[AccBits-1] != acc_row_i[AccBits-1]);
    end
    // Tokens keep a row of the unified buffer from being written while the array reads it.
    if (row_valid_i && ub_enable_i && ub_write_i) assume (ub_row_i != row_ub_i);
  end

  // The flat core's count of zero operands, as late as the readable one's.
  logic                zero_valid_then;
  logic [ZeroBits-1:0] zero_macs_then;
  systole_delay #(.Width(1), .Cycles(ZerosLater), .Reset(1)) u_valid_then (
      .clk_i, .rst_ni, .data_i(zero_valid_flat), .data_o(zero_valid_then));
  systole_delay #(.Width(ZeroBits), .Cycles(ZerosLater)) u_macs_then (
      .clk_i, .rst_ni, .data_i(zero_macs_flat), .data_o(zero_macs_then));

  // ---- what must hold ---------------------------------------------------------------------
`ifdef SYSTOLE_REACHES
  // The proof is not empty: this must fail. Two tiles of two rows were added and read.
  always @(posedge clk_i) begin : TwoTilesAreAddedAndRead
    assert (!(acc_known_q && acc_rdata_flat[31:0] == 32'd4 && acc_rdata_flat[63:32] == 32'd2));
  end
`else
  always @(posedge clk_i) begin
    if (rst_ni) begin
      begin : SameUnifiedBufferData assert (ub_rdata_flat == ub_rdata_readable); end
      begin : SameAccumulatorData
        assert (!acc_known_q || acc_rdata_flat == acc_rdata_readable);
      end
      begin : SameZeroValid assert (zero_valid_then == zero_valid_readable); end
      begin : SameZeroCount
        assert (!zero_valid_readable || zero_macs_then == zero_macs_readable);
      end
    end
  end
`endif
endmodule

`default_nettype wire
