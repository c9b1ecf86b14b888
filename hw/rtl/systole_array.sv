// The readable systolic array: Dim x Dim processing elements, with the skew that feeds them.
// Row r is along K (activations enter from the left), column c along N (sums leave below).
//
//        act row ->  [skew r]  PE(0,0) PE(0,1) ...
//                              PE(1,0) ...
//                                 |       |
//                              psum c leaves at the bottom
//
// Timing, with t the cycle of the first activation row of a tile (act_i and switch_i):
//   PE(r,c) takes its activation in t + r + c; psum_o of column c is valid in t + Dim + 2 + c.
// Weight row r of a tile is at weight_i in s + r (consecutive cycles, r = 0 first); PE(r,c)
// captures it in s + 2r + c. The tile may be switched in from t = s + Dim on, and the next tile's
// s may be this tile's t: a tile every Dim cycles.
//
// No net is wider than a processing element and its neighbour: enables travel with the data, one hop
// a cycle, and nothing is reset. What is on its way when a run is broken off stays ahead of what the
// next run sends: it may leave rubbish in shadows and weights, each of which is captured and switched
// again before a row of the next run meets it.
`default_nettype none

module systole_array #(
  parameter int Dim = 16, // 2 ... 256
  localparam int PsumBits = 16 + $clog2(Dim)
) (
  input  logic                    clk_i,
  input  logic [8*Dim-1:0]        act_i,          // lane r in bits 8r+7 ... 8r
  input  logic                    switch_i,       // with the tile's first act_i
  input  logic                    weight_first_i, // weight_i is row 0 of a tile
  input  logic [8*Dim-1:0]        weight_i,       // lane c in bits 8c+7 ... 8c
  output logic [PsumBits*Dim-1:0] psum_o          // column c, valid c cycles after column 0
);
  // Borders of the grid: index [r][c] is the input of PE(r,c).
  logic signed [7:0]          act     [0:Dim-1][0:Dim];
  logic                       switch_ [0:Dim-1][0:Dim];
  logic                       capture [0:Dim-1][0:Dim];
  logic signed [PsumBits-1:0] psum    [0:Dim][0:Dim-1];
  logic signed [7:0]          weight  [0:Dim][0:Dim-1];

  for (genvar r = 0; r < Dim; r++) begin : g_left
    logic [7:0] act_skewed;
    logic       switch_skewed;
    logic       capture_skewed;
    systole_delay #(.Width(8), .Cycles(r)) u_act (
      .clk_i, .rst_ni(1'b1), .data_i(act_i[8*r +: 8]), .data_o(act_skewed));
    systole_delay #(.Width(1), .Cycles(r)) u_switch (
      .clk_i, .rst_ni(1'b1), .data_i(switch_i), .data_o(switch_skewed));
    // Two registers a row: the weight of row r starts r cycles later and travels r hops.
    systole_delay #(.Width(1), .Cycles(2 * r)) u_capture (
      .clk_i, .rst_ni(1'b1), .data_i(weight_first_i), .data_o(capture_skewed));
    assign act[r][0]     = act_skewed;
    assign switch_[r][0] = switch_skewed;
    assign capture[r][0] = capture_skewed;
  end

  for (genvar c = 0; c < Dim; c++) begin : g_edge
    logic [7:0] weight_skewed;
    systole_delay #(.Width(8), .Cycles(c)) u_weight (
      .clk_i, .rst_ni(1'b1), .data_i(weight_i[8*c +: 8]), .data_o(weight_skewed));
    assign weight[0][c] = weight_skewed;
    assign psum[0][c]   = '0;
    assign psum_o[PsumBits*c +: PsumBits] = psum[Dim][c];
  end

  for (genvar r = 0; r < Dim; r++) begin : g_row
    for (genvar c = 0; c < Dim; c++) begin : g_column
      systole_pe #(.PsumBits(PsumBits)) u_pe (
        .clk_i,
        .act_i(act[r][c]), .psum_i(psum[r][c]), .weight_i(weight[r][c]),
        .capture_i(capture[r][c]), .switch_i(switch_[r][c]),
        .act_o(act[r][c+1]), .psum_o(psum[r+1][c]), .weight_o(weight[r+1][c]),
        .capture_o(capture[r][c+1]), .switch_o(switch_[r][c+1]));
    end
  end

  initial begin
    if (Dim < 2 || Dim > 256 || 2**$clog2(Dim) != Dim) $fatal(1, "systole_array: Dim must be a power of two, 2 ... 256");
  end
endmodule

`default_nettype wire
