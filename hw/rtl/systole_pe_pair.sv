// Two processing elements of neighbouring columns in one DSP48: they share the activation, so one
// wide multiplication gives both products.
//
//   operand  = weight1 * 2^LowBits + weight0
//   packed_o = packed_i + act * operand        both sums in one word, the low one with its sign
//
// The low sum of ChainRows products lies between -ChainRows * 128 * 127 and ChainRows * 128 * 128,
// which is 2^(LowBits-1), so LowBits = 15 + log2 ChainRows bits tell it exactly: the one pattern that
// could be -2^(LowBits-1) is +2^(LowBits-1) (systole_unpack reads it). After ChainRows rows the sums
// leave the chain. LowBits = 18 makes an operand of 27 bits, the multiplier of a DSP48E2: chains of 8.
// A DSP48E1 has 25 bits: chains of 2.
//
// operand_i is weight0 in its low 8 bits and, above them, weight1 less one if weight0 is negative
// (9 bits): the subtraction is done once, at the top of the column, and not in every element.
//
// Registers, enables and timing are those of systole_pe.
`default_nettype none

module systole_pe_pair #(
  parameter int ChainRows = 8, // rows of a chain, 1, 2, 4 or 8
  localparam int LowBits    = 15 + $clog2(ChainRows),
  localparam int HighBits   = LowBits + 1,
  localparam int PackedBits = HighBits + LowBits
) (
  input  logic                         clk_i,
  input  logic signed [7:0]            act_i,     // from the left
  input  logic signed [PackedBits-1:0] packed_i,  // from above
  input  logic        [16:0]           operand_i, // from above
  input  logic                         capture_i, // from the left
  input  logic                         switch_i,  // from the left
  output logic signed [7:0]            act_o,
  output logic signed [PackedBits-1:0] packed_o,
  output logic        [16:0]           operand_o,
  output logic                         capture_o,
  output logic                         switch_o
);
  logic        [16:0]           shadow_q;
  logic        [16:0]           weight_q;
  logic signed [LowBits+8:0]    operand;
  logic signed [PackedBits-1:0] product_q;

  assign operand = {weight_q[16:8], {(LowBits-8){weight_q[7]}}, weight_q[7:0]};

  always_ff @(posedge clk_i) begin
    act_o     <= act_i;
    product_q <= act_o * operand;
    packed_o  <= packed_i + product_q;
    operand_o <= operand_i;
    capture_o <= capture_i;
    switch_o  <= switch_i;
    if (capture_i) shadow_q <= operand_i;
    if (switch_i) weight_q <= shadow_q;
  end

  initial begin
    if (ChainRows != 1 && ChainRows != 2 && ChainRows != 4 && ChainRows != 8) $fatal(1, "systole_pe_pair: ChainRows must be 1, 2, 4 or 8");
  end
endmodule

`default_nettype wire
