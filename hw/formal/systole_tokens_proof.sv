// Token counters against the plain statement of what they count, for one pair of units that is
// chosen freely: tokens given minus tokens taken.
`default_nettype none

module systole_tokens_proof #(
    localparam int Units = systole_pkg::Units,
    localparam int Bits = systole_pkg::TokenBits
) (
    input logic                   clk_i,
    input logic [Units-1:0]       done_i,
    input logic [Units*Units-1:0] give_i,
    input logic [Units-1:0]       accept_i,
    input logic [Units*Units-1:0] wait_i,
    input logic [4:0]             pair_i
);
  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic [Units*Units-1:0] missing;
  logic overflow;
  systole_tokens u_tokens (
      .clk_i, .rst_ni, .done_i, .give_i, .accept_i, .wait_i, .missing_o(missing),
      .overflow_o(overflow));

  // The pair, from * Units + to, never changes.
  logic [4:0] pair_q;
  initial pair_q = '0;
  logic chosen_q;
  initial chosen_q = 1'b0;
  always_ff @(posedge clk_i) begin
    chosen_q <= 1'b1;
    if (!chosen_q) pair_q <= pair_i < 5'(Units * Units) ? pair_i : 5'd0;
  end

  logic given, taken, waits, lacks;
  always @* begin
    given = 1'b0;
    taken = 1'b0;
    waits = 1'b0;
    lacks = 1'b0;
    for (int from = 0; from < Units; from++) begin
      for (int to = 0; to < Units; to++) begin
        if (pair_q == 5'(Units * from + to)) begin
          given = done_i[from] && give_i[Units*from+to];
          taken = accept_i[to] && wait_i[Units*to+from];
          waits = wait_i[Units*to+from];
          lacks = missing[Units*to+from];
        end
      end
    end
    // A unit only takes what it has; the kernel's accept is gated by missing_o.
    for (int to = 0; to < Units; to++) begin
      if (accept_i[to]) assume (missing[Units*to+:Units] == '0);
    end
    if (!rst_ni || !chosen_q) assume (done_i == '0 && accept_i == '0);
    assume (!overflow);
  end

  logic [Bits-1:0] tokens_q;
  logic over_q;
  initial tokens_q = '0;
  initial over_q = 1'b0;
  always_ff @(posedge clk_i) begin
    tokens_q <= tokens_q + Bits'(given) - Bits'(taken);
    over_q   <= given && !taken && tokens_q == '1;
  end
  always @(posedge clk_i) begin
    if (rst_ni && chosen_q) begin
      begin : MissingMeansNoToken assert (lacks == (waits && tokens_q == '0)); end
      begin : TooManyTokensAreReported assert (!over_q); end
    end
  end
endmodule

`default_nettype wire
