// Two sums in one word come apart exactly, for ever: every pair of sums that ChainRows products of
// int8 can have, added to anything from above. That a wide multiplication and a wide addition give
// such a word is the distributive law; the test rtl_pair tries all 2^24 operands of a multiplication.
`default_nettype none

module systole_pair_proof #(
    parameter int ChainRows = 8,
    localparam int LowBits = 15 + $clog2(ChainRows),
    localparam int PackedBits = 2 * LowBits + 1,
    localparam int PsumBits = 16 + $clog2(ChainRows)
) (
    input logic                       clk_i,
    input logic signed [LowBits:0]    sum0_i,  // of the low column
    input logic signed [LowBits:0]    sum1_i,  // of the high column
    input logic signed [PsumBits-1:0] psum0_i,
    input logic signed [PsumBits-1:0] psum1_i
);
  localparam logic signed [LowBits:0] Least = -(LowBits+1)'(ChainRows * 128 * 127);
  localparam logic signed [LowBits:0] Most = (LowBits+1)'(ChainRows * 128 * 128);

  logic signed [PackedBits-1:0] low, high, both;
  assign low  = PackedBits'(sum0_i);
  assign high = PackedBits'(sum1_i);
  assign both = low + (high <<< LowBits);

  logic signed [PsumBits-1:0] psum0, psum1;
  systole_unpack #(.ChainRows(ChainRows), .PsumBits(PsumBits)) u_unpack (
      .clk_i, .packed_i(both), .psum0_i, .psum1_i, .psum0_o(psum0), .psum1_o(psum1));

  logic                       known_q;
  logic signed [PsumBits-1:0] want0_q, want1_q;
  initial known_q = 1'b0;
  always_ff @(posedge clk_i) begin
    known_q <= sum0_i >= Least && sum0_i <= Most && sum1_i >= Least && sum1_i <= Most;
    want0_q <= psum0_i + PsumBits'(sum0_i);
    want1_q <= psum1_i + PsumBits'(sum1_i);
  end

  always @(posedge clk_i) begin
    begin : LowColumnIsItsSum assert (!known_q || psum0 == want0_q); end
    begin : HighColumnIsItsSum assert (!known_q || psum1 == want1_q); end
  end
endmodule

`default_nettype wire
