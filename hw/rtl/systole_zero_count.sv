// Counts products with a zero operand, for the energy model: a zero activation makes Dim of them,
// any other activation as many as its row of weights has zeros.
//
// It works as the array does: a weight row's zeros are counted column by column on their way to the
// right, a row's zero products lane by lane on their way down, so that every cycle adds one number
// and no adder is wider than its neighbour needs. The switch travels along.
//
// Timing: row_valid_i and row_switch_i in t, act_i in t + 1, zero_macs_o in t + Dim + 3.
// Weight row r of a tile, at weight_row_i in s + r, has its count in s + r + Dim + 2: in time for a
// tile that is switched in from s + Dim on.
`default_nettype none

module systole_zero_count #(
  parameter int Dim = 16,
  localparam int LaneBits = $clog2(Dim),
  localparam int ZeroBits = 2 * LaneBits + 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                row_valid_i,
  input  logic                row_switch_i,
  input  logic [8*Dim-1:0]    act_i,
  input  logic                weight_valid_i,
  input  logic [8*Dim-1:0]    weight_row_i,
  output logic                zero_valid_o,
  output logic [ZeroBits-1:0] zero_macs_o
);
  // ---- zeros of a weight row: from column to column ------------------------------------------
  logic [LaneBits:0]   column [0:Dim];  // zeros left of column c, in s + r + 1 + c
  logic                counted;         // column[Dim] holds the count of a row
  logic [LaneBits-1:0] counted_row_q;   // of this one

  assign column[0] = '0;
  for (genvar c = 0; c < Dim; c++) begin : g_column
    logic              zero_q;
    logic              zero;
    logic [LaneBits:0] sum_q;
    systole_delay #(.Width(1), .Cycles(c)) u_zero (
      .clk_i, .rst_ni(1'b1), .data_i(zero_q), .data_o(zero));
    always_ff @(posedge clk_i) begin
      zero_q <= weight_row_i[8*c +: 8] == 8'd0;
      sum_q  <= column[c] + (LaneBits+1)'(zero);
    end
    assign column[c+1] = sum_q;
  end

  systole_delay #(.Width(1), .Cycles(Dim + 1), .Reset(1)) u_counted (
    .clk_i, .rst_ni, .data_i(weight_valid_i), .data_o(counted));
  always_ff @(posedge clk_i) begin
    if (counted) counted_row_q <= counted_row_q + 1'b1;
    if (!rst_ni) counted_row_q <= '0;
  end

  // ---- zero products of a row: from lane to lane ---------------------------------------------
  logic [ZeroBits-1:0] lane [0:Dim];    // zero products above lane r, in t + 3 + r
  logic                switch_[0:Dim];  // the switch at lane r, in t + 2 + r

  logic [1:0] switch_q;
  always_ff @(posedge clk_i) switch_q <= {switch_q[0], row_switch_i};
  assign switch_[0] = switch_q[1];
  assign lane[0]    = '0;
  for (genvar r = 0; r < Dim; r++) begin : g_lane
    logic                zero_q;
    logic                zero;
    logic                go_q;
    logic [LaneBits:0]   shadow_q; // zeros of the next tile's row
    logic [LaneBits:0]   zeros_q;  // of this tile's
    logic [ZeroBits-1:0] sum_q;
    systole_delay #(.Width(1), .Cycles(r + 1)) u_zero (
      .clk_i, .rst_ni(1'b1), .data_i(zero_q), .data_o(zero));
    always_ff @(posedge clk_i) begin
      zero_q <= act_i[8*r +: 8] == 8'd0;
      go_q   <= switch_[r];
      if (counted && counted_row_q == LaneBits'(r)) shadow_q <= column[Dim];
      if (switch_[r]) zeros_q <= shadow_q;
      sum_q <= lane[r] + (zero ? ZeroBits'(Dim) : ZeroBits'(zeros_q));
    end
    assign switch_[r+1] = go_q;
    assign lane[r+1]    = sum_q;
  end
  logic unused_switch;
  assign unused_switch = switch_[Dim];

  systole_delay #(.Width(1), .Cycles(Dim + 3), .Reset(1)) u_valid (
    .clk_i, .rst_ni, .data_i(row_valid_i), .data_o(zero_valid_o));
  assign zero_macs_o = lane[Dim];
endmodule

`default_nettype wire
