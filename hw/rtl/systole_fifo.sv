// Queue with first-word fall-through: data_o shows the oldest word whenever empty_o is low.
//
// The words lie in a small memory that is written at the clock edge and read combinationally
// (registers or LUT RAM; for block RAM, which reads at the clock edge, it is the wrong cell).
//
// Timing law: a word pushed in cycle t is visible in cycle t + 1; a push and a pop every cycle.
// Back-pressure: push_i only while full_o is low, even if pop_i is up in the same cycle;
// pop_i only while empty_o is low. count_o, full_o and empty_o come from one register.
// clear_i empties the queue and drops the word that is pushed in that cycle.
`default_nettype none
`include "systole_assert.svh"

module systole_fifo #(
    parameter int Width = 8,  // bits of a word, >= 1
    parameter int Depth = 2   // words, a power of two, >= 2
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   clear_i,
    input  logic                   push_i,
    input  logic [      Width-1:0] data_i,
    output logic                   full_o,
    input  logic                   pop_i,
    output logic [      Width-1:0] data_o,
    output logic                   empty_o,
    output logic [$clog2(Depth):0] count_o
);

  localparam int PtrBits = $clog2(Depth);

  initial if (Width < 1) $fatal(1, "systole_fifo: Width must be at least 1");
  initial
    if (Depth < 2 || 2 ** PtrBits != Depth)
      $fatal(1, "systole_fifo: Depth must be a power of two, at least 2");

  logic [Width-1:0] words_q[0:Depth-1];
  logic [PtrBits-1:0] read_q;
  logic [PtrBits-1:0] write_q;

  assign data_o  = words_q[read_q];
  assign empty_o = count_o == '0;
  assign full_o  = count_o[PtrBits];

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      read_q  <= '0;
      write_q <= '0;
      count_o <= '0;
    end else begin
      if (push_i) write_q <= write_q + 1'b1;
      if (pop_i) read_q <= read_q + 1'b1;
      if (push_i && !pop_i) count_o <= count_o + 1'b1;
      if (pop_i && !push_i) count_o <= count_o - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push_i) words_q[write_q] <= data_i;
  end

  `SYSTOLE_ASSERT(NothingIsPushedIntoAFullQueue, !push_i || !full_o || clear_i)
  `SYSTOLE_ASSERT(NothingIsPoppedFromAnEmptyQueue, !pop_i || !empty_o || clear_i)
  `SYSTOLE_ASSERT(CountAgreesWithThePointers, PtrBits'(count_o) == PtrBits'(write_q - read_q))

endmodule

`default_nettype wire
