// The readable array with two columns in a DSP48: the same drawing as systole_array, with pairs of
// processing elements for elements, and sums that leave their chain every Rows rows.
//
//        act row ->  [skew r]  pair(0,0) pair(0,1) ...
//                              ...                         Rows rows
//                              unpack(0,0) ...             sums of both columns, with those from above
//                              pair(Rows,0) ...
//                                 |    |
//                         columns 2p, 2p + 1 leave at the bottom
//
// Timing, with t the cycle of the first activation row of a tile (act_i and switch_i):
//   pair(r,p) takes its activation in t + r + p; psum_o of columns 2p and 2p + 1 is valid in
//   t + Dim + 3 + p.
// Weights as in systole_array, with the pair's number for the column's: captured in s + 2r + p.
// Sums from above wait Rows - 1 cycles for the chain below, which ends Rows rows later.
// Nothing is reset, as in systole_array.
`default_nettype none

module systole_array_packed #(
  parameter int Dim       = 16, // 2 ... 256, a power of two
  parameter int ChainRows = 8,  // rows of a chain: 8 for DSP48E2, 2 for DSP48E1
  localparam int PsumBits = 16 + $clog2(Dim)
) (
  input  logic                    clk_i,
  input  logic [8*Dim-1:0]        act_i,          // lane r in bits 8r+7 ... 8r
  input  logic                    switch_i,       // with the tile's first act_i
  input  logic                    weight_first_i, // weight_i is row 0 of a tile
  input  logic [8*Dim-1:0]        weight_i,       // lane c in bits 8c+7 ... 8c
  output logic [PsumBits*Dim-1:0] psum_o          // pair p, valid p cycles after pair 0
);
  localparam int Pairs      = Dim / 2;
  localparam int Rows       = (ChainRows < Dim) ? ChainRows : Dim;
  localparam int Chains     = Dim / Rows;
  localparam int PackedBits = 2 * (15 + $clog2(Rows)) + 1;

  // Borders of the grid: index [r][p] is the input of pair(r,p).
  logic signed [7:0]            act     [0:Dim-1][0:Pairs];
  logic                         switch_ [0:Dim-1][0:Pairs];
  logic                         capture [0:Dim-1][0:Pairs];
  logic        [16:0]           operand [0:Dim][0:Pairs-1];
  logic signed [PackedBits-1:0] sums    [0:Dim-1][0:Pairs-1]; // out of pair(r,p)
  logic signed [PsumBits-1:0]   psum0   [0:Chains][0:Pairs-1];
  logic signed [PsumBits-1:0]   psum1   [0:Chains][0:Pairs-1];

  for (genvar r = 0; r < Dim; r++) begin : g_left
    logic [7:0] act_skewed;
    logic       switch_skewed;
    logic       capture_skewed;
    systole_delay #(.Width(8), .Cycles(r)) u_act (
      .clk_i, .rst_ni(1'b1), .data_i(act_i[8*r +: 8]), .data_o(act_skewed));
    systole_delay #(.Width(1), .Cycles(r)) u_switch (
      .clk_i, .rst_ni(1'b1), .data_i(switch_i), .data_o(switch_skewed));
    systole_delay #(.Width(1), .Cycles(2 * r)) u_capture (
      .clk_i, .rst_ni(1'b1), .data_i(weight_first_i), .data_o(capture_skewed));
    assign act[r][0]     = act_skewed;
    assign switch_[r][0] = switch_skewed;
    assign capture[r][0] = capture_skewed;
  end

  for (genvar p = 0; p < Pairs; p++) begin : g_edge
    logic signed [7:0] weight0, weight1;
    logic signed [8:0] high;
    logic [16:0]       skewed;
    assign weight0 = weight_i[16*p +: 8];
    assign weight1 = weight_i[16*p+8 +: 8];
    assign high    = 9'(weight1) - $signed({8'd0, weight0[7]});
    systole_delay #(.Width(17), .Cycles(p)) u_weight (
      .clk_i, .rst_ni(1'b1), .data_i({high, weight0}), .data_o(skewed));
    assign operand[0][p] = skewed;
    assign psum0[0][p]   = '0;
    assign psum1[0][p]   = '0;
    assign psum_o[PsumBits*(2*p) +: PsumBits]   = psum0[Chains][p];
    assign psum_o[PsumBits*(2*p+1) +: PsumBits] = psum1[Chains][p];
  end

  for (genvar r = 0; r < Dim; r++) begin : g_row
    for (genvar p = 0; p < Pairs; p++) begin : g_pair
      logic signed [PackedBits-1:0] above;
      if (r % Rows == 0) begin : g_first
        assign above = '0;
      end else begin : g_next
        assign above = sums[r-1][p];
      end
      systole_pe_pair #(.ChainRows(Rows)) u_pair (
        .clk_i,
        .act_i(act[r][p]), .packed_i(above), .operand_i(operand[r][p]),
        .capture_i(capture[r][p]), .switch_i(switch_[r][p]),
        .act_o(act[r][p+1]), .packed_o(sums[r][p]), .operand_o(operand[r+1][p]),
        .capture_o(capture[r][p+1]), .switch_o(switch_[r][p+1]));
    end
  end

  for (genvar h = 0; h < Chains; h++) begin : g_chain
    for (genvar p = 0; p < Pairs; p++) begin : g_pair
      logic [2*PsumBits-1:0]      waited;
      logic signed [PsumBits-1:0] out0, out1;
      systole_delay #(.Width(2 * PsumBits), .Cycles(h == 0 ? 0 : Rows - 1)) u_wait (
        .clk_i, .rst_ni(1'b1), .data_i({psum1[h][p], psum0[h][p]}), .data_o(waited));
      systole_unpack #(.ChainRows(Rows), .PsumBits(PsumBits)) u_unpack (
        .clk_i, .packed_i(sums[Rows*(h+1)-1][p]),
        .psum0_i(waited[0 +: PsumBits]), .psum1_i(waited[PsumBits +: PsumBits]),
        .psum0_o(out0), .psum1_o(out1));
      assign psum0[h+1][p] = out0;
      assign psum1[h+1][p] = out1;
    end
  end

  initial begin
    if (Dim < 2 || Dim > 256 || 2**$clog2(Dim) != Dim) $fatal(1, "systole_array_packed: Dim must be a power of two, 2 ... 256");
  end
endmodule

`default_nettype wire
