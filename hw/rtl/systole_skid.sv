// Two-entry register slice: cuts every combinational path between its two sides.
//
// Takes a word in each cycle with valid_i and ready_o, hands it out in each cycle with valid_o
// and ready_i, in order. valid_o, data_o and ready_o are registers; no input is used outside the
// clocked process. A kernel's pins go through one, because each pin that feeds combinational
// logic adds a pass to every evaluation of the simulator, and a long path to the card.
//
// Timing law: a word leaves one cycle after it was taken, or later if the other side is busy;
// one word a cycle is sustained.
// Back-pressure: ready_o falls one cycle after a word had to go to the spare register.
// clear_i drops what is inside and what is offered in that cycle; it does not touch data.
`default_nettype none
`include "systole_assert.svh"

module systole_skid #(
    parameter int Width = 8  // bits of a word, >= 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             clear_i,
    input  logic             valid_i,
    output logic             ready_o,
    input  logic [Width-1:0] data_i,
    output logic             valid_o,
    input  logic             ready_i,
    output logic [Width-1:0] data_o
);

  initial if (Width < 1) $fatal(1, "systole_skid: Width must be at least 1");

  // Holds the word that arrived in the cycle in which the output stopped; full when !ready_o.
  logic [Width-1:0] spare_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      valid_o <= 1'b0;
      ready_o <= 1'b1;
    end else if (!valid_o || ready_i) begin
      if (ready_o) begin
        valid_o <= valid_i;
        if (valid_i) data_o <= data_i;
      end else begin
        data_o  <= spare_q;
        ready_o <= 1'b1;
      end
    end else if (valid_i && ready_o) begin
      spare_q <= data_i;
      ready_o <= 1'b0;
    end
  end

  `SYSTOLE_ASSERT(SpareIsFullOnlyBehindAFullOutput, ready_o || valid_o)
  `SYSTOLE_ASSERT_HOLDS(OutputHoldsUntilTaken, valid_o, ready_i || clear_i, data_o, Width)

endmodule

`default_nettype wire
