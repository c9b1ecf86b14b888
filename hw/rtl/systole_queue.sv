// The instruction queue of one unit: first in, first out, with the head in a register.
//
// Nothing wide moves while nothing is pushed or popped. Timing: a push into an empty queue shows
// at the head in the next cycle; after a pop the next entry is at the head in the next cycle.
// Back-pressure: push_i only while full_o is low. A full queue that is popped takes no push in
// that cycle.
`include "systole_assert.svh"
`default_nettype none

module systole_queue #(
  parameter int Width = 512, // bits
  parameter int Depth = 4,   // entries, head included; power of two
  localparam int PointerBits = $clog2(Depth)
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  output logic             full_o,
  input  logic             pop_i,
  output logic             valid_o,
  output logic [Width-1:0] head_o
);
  logic [Width-1:0]       mem [0:Depth-1];
  logic [PointerBits-1:0] write_q;
  logic [PointerBits-1:0] read_q;
  logic [PointerBits:0]   count_q; // entries, head included

  assign full_o = count_q == (PointerBits + 1)'(Depth);

  always_ff @(posedge clk_i) begin
    if (pop_i && count_q > 1) begin
      head_o <= mem[read_q];
      read_q <= read_q + 1'b1;
    end else if (push_i && (count_q == 0 || pop_i)) begin
      head_o <= data_i;
    end
    if (push_i && count_q != 0 && !(pop_i && count_q == 1)) begin
      mem[write_q] <= data_i;
      write_q      <= write_q + 1'b1;
    end
    if (push_i != pop_i) count_q <= push_i ? count_q + 1'b1 : count_q - 1'b1;
    if (push_i || pop_i) valid_o <= push_i || count_q > 1;
    if (!rst_ni) begin
      count_q <= '0;
      write_q <= '0;
      read_q  <= '0;
      valid_o <= 1'b0;
    end
  end

  `SYSTOLE_ASSERT(PushOnlyWithRoom, !push_i || !full_o)
  `SYSTOLE_ASSERT(PopOnlyWithAHead, !pop_i || valid_o)

  initial begin
    if (Depth < 2 || 2**PointerBits != Depth) $fatal(1, "systole_queue: Depth must be a power of two, at least 2");
  end
endmodule

`default_nettype wire
