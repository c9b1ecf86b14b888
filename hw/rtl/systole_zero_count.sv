// Counts products with a zero operand, for the energy model: a zero activation makes Dim of them,
// any other activation as many as its row of weights has zeros.
//
// Timing: row_valid_i and row_switch_i in t, act_i in t + 1, zero_macs_o in t + 2.
// A weight row is counted when it arrives; two banks, as the weights have.
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
  logic [LaneBits:0]   zeros_q [0:2*Dim-1]; // zero weights of {bank, row}
  logic                bank_q;
  logic [LaneBits-1:0] weight_row_q;
  logic                row_valid_q;
  logic [LaneBits:0]   zero_row;
  logic [ZeroBits-1:0] zero_sum;

  always_comb begin
    zero_row = '0;
    for (int c = 0; c < Dim; c++)
      if (weight_row_i[8*c +: 8] == 8'd0) zero_row = zero_row + 1'b1;
  end

  always_comb begin
    zero_sum = '0;
    for (int r = 0; r < Dim; r++)
      zero_sum = zero_sum + ((act_i[8*r +: 8] == 8'd0) ? ZeroBits'(Dim)
                                                       : ZeroBits'(zeros_q[{bank_q, LaneBits'(r)}]));
  end

  always_ff @(posedge clk_i) begin
    if (weight_valid_i) begin
      zeros_q[{row_switch_i ? bank_q : !bank_q, weight_row_q}] <= zero_row;
      weight_row_q <= weight_row_q + 1'b1;
    end
    if (row_switch_i) bank_q <= !bank_q;
    row_valid_q  <= row_valid_i;
    zero_valid_o <= row_valid_q;
    if (row_valid_q) zero_macs_o <= zero_sum;
    if (!rst_ni) begin
      row_valid_q  <= 1'b0;
      zero_valid_o <= 1'b0;
      bank_q       <= 1'b0;
      weight_row_q <= '0;
    end
  end
endmodule

`default_nettype wire
