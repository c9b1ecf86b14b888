// Takes the two sums of a chain of systole_pe_pair apart and adds them to those from above.
//
//   low  = the low field; its pattern 10...0 is +2^(LowBits-1), see systole_pe_pair
//   high = the high field, and one more when low is negative (it had borrowed)
//
// Latency: 1 cycle.
`default_nettype none

module systole_unpack #(
  parameter int ChainRows = 8,
  parameter int PsumBits  = 20,
  localparam int LowBits    = 15 + $clog2(ChainRows),
  localparam int HighBits   = LowBits + 1,
  localparam int PackedBits = HighBits + LowBits
) (
  input  logic                       clk_i,
  input  logic [PackedBits-1:0]      packed_i,
  input  logic signed [PsumBits-1:0] psum0_i,
  input  logic signed [PsumBits-1:0] psum1_i,
  output logic signed [PsumBits-1:0] psum0_o,
  output logic signed [PsumBits-1:0] psum1_o
);
  logic                      negative;
  logic signed [LowBits:0]   low;
  logic signed [HighBits-1:0] high;

  assign negative = packed_i[LowBits-1] && packed_i[LowBits-2:0] != '0;
  assign low      = {negative, packed_i[LowBits-1:0]};
  assign high     = packed_i[LowBits +: HighBits];

  always_ff @(posedge clk_i) begin
    psum0_o <= psum0_i + PsumBits'(low);
    psum1_o <= psum1_i + PsumBits'(high) + $signed({{(PsumBits-1){1'b0}}, negative});
  end

  initial begin
    if (PsumBits <= LowBits - $clog2(ChainRows)) $fatal(1, "systole_unpack: PsumBits must hold two products");
  end
endmodule

`default_nettype wire
