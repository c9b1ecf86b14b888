// One processing element, as a course draws it: weight-stationary, double-buffered.
//
//   psum_o = psum_i + act_i * weight     act_o = act_i
//
// Weights for the next tile pass downwards through a chain of `pass` registers, one hop a cycle;
// capture_i says that the weight at the top input is this row's own, and puts it into the shadow.
// The switch, which travels with the first activation of the new tile, moves the shadow into the
// weight. Capture and switch may meet: the switch takes the old shadow.
//
// The registers are those of a DSP48: act_o is A, weight_q is B, product_q is M, psum_o is P, so that
// multiplier and adder go into one and no logic is left outside.
//
// Latency: 1 cycle for every output but the sum. An activation's product is in psum_o after 3, and
// psum_i is added in the third: sums move down a row a cycle. No back-pressure: an array never stops
// in the middle.
`default_nettype none

module systole_pe #(
  parameter int PsumBits = 20 // 16 + log2 Dim holds Dim products of int8 exactly
) (
  input  logic                       clk_i,
  input  logic signed [7:0]          act_i,     // from the left
  input  logic signed [PsumBits-1:0] psum_i,    // from above
  input  logic signed [7:0]          weight_i,  // from above
  input  logic                       capture_i, // from the left
  input  logic                       switch_i,  // from the left
  output logic signed [7:0]          act_o,
  output logic signed [PsumBits-1:0] psum_o,
  output logic signed [7:0]          weight_o,
  output logic                       capture_o,
  output logic                       switch_o
);
  logic signed [7:0]  shadow_q;
  logic signed [7:0]  weight_q;
  logic signed [15:0] product_q;

  always_ff @(posedge clk_i) begin
    act_o     <= act_i;
    product_q <= act_o * weight_q;
    psum_o    <= psum_i + PsumBits'(product_q);
    weight_o  <= weight_i;
    capture_o <= capture_i;
    switch_o  <= switch_i;
    if (capture_i) shadow_q <= weight_i;
    if (switch_i) weight_q <= shadow_q;
  end

  initial begin
    if (PsumBits < 17) $fatal(1, "systole_pe: PsumBits must hold at least two products");
  end
endmodule

`default_nettype wire
