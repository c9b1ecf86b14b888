// Token counters: one for each ordered pair of units.
//
// A unit that finishes an instruction gives one token to each unit of its give mask; the head of a
// unit's queue may start when it holds one token from each unit of its wait mask, and takes them.
// Timing: given in t, usable in t + 1. A counter holds 2^TokenBits - 1; one more is an error.
`default_nettype none

module systole_tokens #(
  localparam int Units = systole_pkg::Units,
  localparam int Bits  = systole_pkg::TokenBits
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic [Units-1:0]       done_i,     // unit u gives give_i[Units * u +: Units]
  input  logic [Units*Units-1:0] give_i,
  input  logic [Units-1:0]       accept_i,   // unit u takes wait_i[Units * u +: Units]
  input  logic [Units*Units-1:0] wait_i,
  output logic [Units*Units-1:0] missing_o,  // for unit u: units of its wait mask without a token
  output logic                   overflow_o, // one cycle
  output logic [2:0]             overflow_from_o, // unit that gave one too many ...
  output logic [2:0]             overflow_to_o    // ... and the unit it gave it to
);
  logic [Bits-1:0]        count_q [0:Units*Units-1]; // [from * Units + to]
  logic [Units*Units-1:0] empty_q;                   // [to * Units + from]
  logic                   up;
  logic                   down;
  logic [Bits-1:0]        next;
  logic [Units*Units-1:0] empty;

  assign missing_o = wait_i & empty_q;

  always_ff @(posedge clk_i) begin
    overflow_o <= 1'b0;
    empty = empty_q;
    if (done_i != '0 || accept_i != '0) begin
      for (int from = 0; from < Units; from++) begin
        for (int to = 0; to < Units; to++) begin
          up   = done_i[from] && give_i[Units*from + to];
          down = accept_i[to] && wait_i[Units*to + from];
          next = count_q[Units*from + to] + Bits'(up) - Bits'(down);
          if (up && !down && count_q[Units*from + to] == '1) begin
            overflow_o      <= 1'b1;
            overflow_from_o <= 3'(from);
            overflow_to_o   <= 3'(to);
          end
          count_q[Units*from + to] = next;
          empty[Units*to + from] = next == '0;
        end
      end
    end
    if (!rst_ni) begin
      for (int i = 0; i < Units*Units; i++) count_q[i] = '0;
      empty = '1;
    end
    empty_q <= empty;
  end
endmodule

`default_nettype wire
